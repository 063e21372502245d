#!/usr/bin/env bash
# Everything that needs an NVIDIA GPU, in at most 9 minutes from a machine with Python 3.11 or later and a driver.
#
#   benchmarks/gpu.sh [--dry-run] [--out DIR] [--photos DIR] [PART ...]
#
#   install    into OUT/venv; the registry's plain torch is the CUDA one
#   kernels    the Triton kernels on the device against the reference and numba: kernels.xml
#   render     both looks at 4K, 12 and 50 megapixels, beside what the card could do: render.json
#   others     one plane and the whole beside torch's conv2d and cuFFT: others.json
#   training   images a second of both networks, with and without the loader: training_PRESET.json
#
# Each part has a time limit of its own and writes what it knows as it goes; OUT/gpu.json holds all of it. The exit
# status is 1 if a part failed, so also if a kernel is wrong.
#
# --dry-run      without a GPU: Triton's interpreter, tiny photos; all but `install`; limits are ten times as long
# --photos DIR   photos to train on, as for `wideopen train matting`; else they are drawn
# GPU_SH_NO_INSTALL=1    what $PYTHON (python3) has installed is used; wideopen itself need not be
# WIDEOPEN_COMMIT=NAME   the commit, where the sources were copied without git
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$root/build/gpu dry= photos= parts=()
while (($#)); do
    case $1 in
    --dry-run) dry=1 ;;
    --out) out=$2 && shift ;;
    --photos) photos=$(realpath "$2") && shift ;;
    install | kernels | render | others | training) parts+=("$1") ;;
    *) echo "gpu.sh: expected --dry-run, --out DIR, --photos DIR or a part, found $1" >&2 && exit 2 ;;
    esac
    shift
done
((${#parts[@]})) || parts=(install kernels render others training)
mkdir -p "$out" && out=$(cd "$out" && pwd)
rm -f "$out"/{parts.txt,kernels.xml,gpu.json,render.json,others.json,training_{mobile,paper}.json}
python=${PYTHON:-python3}
cd "$root" || exit 1

# part LIMIT_S NAME COMMAND ...: runs it if it was asked for; its output goes to NAME.log, how it ended to parts.txt
part() {
    local limit=$1 name=$2 start=$SECONDS status=0
    shift 2
    [[ " ${parts[*]} " == *" ${name%_*} "* ]] || return 0
    timeout --kill-after=5 "$((limit * (dry ? 10 : 1)))" "$@" >"$out/$name.log" 2>&1 || status=$?
    echo "$name $status $((SECONDS - start))" >>"$out/parts.txt"
    ((status)) && tail -n 25 "$out/$name.log"
    echo "gpu.sh: $name: status $status after $((SECONDS - start)) s"
    return "$status"
}

if [[ -z $dry && -z ${GPU_SH_NO_INSTALL:-} ]]; then
    part 240 install bash -ec "
        '$python' -m venv '$out/venv'
        '$out/venv/bin/pip' install --quiet -e '.[gpu,train]' pytest pytest-xdist hypothesis" || parts=()
    python=$out/venv/bin/python
else
    export PYTHONPATH=$root/src${PYTHONPATH:+:$PYTHONPATH}
    if ! "$python" -c 'import importlib.metadata as m; m.version("wideopen")' 2>/dev/null; then
        mkdir -p "$out/metadata/wideopen-0.dist-info"
        printf 'Metadata-Version: 2.1\nName: wideopen\nVersion: 0\n' >"$out/metadata/wideopen-0.dist-info/METADATA"
        export PYTHONPATH=$PYTHONPATH:$out/metadata
    fi
fi
export PYTHONUNBUFFERED=1

tests=(-m pytest -q -p no:cacheprovider -o filterwarnings=default --junitxml="$out/kernels.xml")
train=(benchmarks/training.py ${photos:+"$photos"})
if [[ -n $dry ]]; then
    export TRITON_INTERPRET=1
    part 80 kernels "$python" "${tests[@]}" tests/rendering/test_render_triton.py -k 'device and cat_eye or 90 or missing'
    part 80 render "$python" benchmarks/render_cuda.py --sizes tiny --runs 1 --out "$out/render.json"
    part 60 others "$python" benchmarks/render_cuda_others.py --sizes tiny --runs 1 --out "$out/others.json"
    train+=(--size 64 --batch 2 --photos 3 --batches 1)
else
    export REQUIRE_BACKENDS=triton
    "$python" -c 'import xdist' 2>/dev/null && tests+=(-n 8)
    part 80 kernels "$python" "${tests[@]}" -k 'triton and not interpreted and not compiles' \
        tests/rendering/test_render{,_triton}.py tests/rendering/test_golden.py
    part 80 render "$python" benchmarks/render_cuda.py --out "$out/render.json"
    part 60 others "$python" benchmarks/render_cuda_others.py --out "$out/others.json"
    train+=(--batch 16 --photos 32 --batches 30 --workers "$(($(nproc) > 2 ? $(nproc) - 2 : 1))")
fi
for preset in mobile paper; do
    part 40 training_$preset "$python" "${train[@]}" --preset $preset --out "$out/training_$preset.json"
done
exec "$python" benchmarks/gpu_report.py "$out"

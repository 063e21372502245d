"""The command line: one file per group of commands, with heavy imports inside the commands.

Exit codes: 0 success, 1 a bug in wideopen, 2 bad input. An error is one line on stderr: what, expected, found.
"""

import atexit
import ctypes
import io
import os
import sys
from contextlib import suppress
from itertools import pairwise
from typing import Annotated, NoReturn

import typer

from wideopen.cli import batch, evaluate, info, maps, render, reproduce, serve, train, tune
from wideopen.cli.terminal import warn
from wideopen.errors import WideopenError

_M_ARENA_MAX = -8  # malloc.h

app = typer.Typer(
    help="Turn a sharp portrait into a photo as if taken with a fast lens wide open.",
    invoke_without_command=True,
    rich_markup_mode=None,  # importing rich for boxes around the help would take as long as everything else
    pretty_exceptions_enable=False,
)
app.command("render")(render.render)
app.command("batch")(batch.batch)
app.command("matte")(maps.matte)
app.command("depth")(maps.depth)
app.command("serve")(serve.serve)
app.command("info")(info.info)
app.command("extract")(maps.extract)
app.command("tune")(tune.tune)
app.command("reproduce")(reproduce.reproduce)
app.command("studio")(serve.studio)
app.add_typer(train.app, name="train")
app.add_typer(train.export_app, name="export")
app.add_typer(evaluate.app, name="eval")


def _version(asked: bool) -> None:
    if asked:
        from wideopen import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Turn a sharp portrait into a photo as if taken with a fast lens wide open."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run one command line, by default this process's, and exit with its code.

    Prints no traceback unless WIDEOPEN_DEBUG is set.
    """
    words = sys.argv[1:] if arguments is None else arguments
    _share_heaps()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads spin, for products that are all small
    if isinstance(sys.stdout, io.TextIOWrapper):  # print file names that are not UTF-8 unchanged
        sys.stdout.reconfigure(errors="surrogateescape")
    try:
        result = app(words, prog_name="wideopen", standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except WideopenError as error:
        warn(f"wideopen: {error}")
        code = 2
    except (KeyboardInterrupt, typer.Abort):
        warn("wideopen: interrupted")
        code = 130
    except (BrokenPipeError, SystemExit):  # the option parser turns a broken pipe into SystemExit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:  # noqa: BLE001  the last line of defence: usage errors, and our own bugs
        code = _last_resort(error, words)
    if arguments is not None:
        sys.exit(code)
    _leave(code)


def _share_heaps() -> None:
    """Let glibc keep two heaps instead of eight per core: what threads free is then used again, 90 MB less at 12 MP."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform.startswith("linux") else None
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 2)


def _leave(code: int) -> NoReturn:
    """End this process at once: Python's own way out takes 0.8 s after a render of 12 megapixels."""
    atexit._run_exitfuncs()
    with suppress(OSError):
        sys.stdout.flush()
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(code)


def run(arguments: list[str]) -> int:
    """`main` without leaving Python: returns the exit code."""
    try:
        main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)


def _last_resort(error: Exception, arguments: list[str]) -> int:
    if hasattr(error, "format_message"):  # a usage error from the option parser
        message = error.format_message() or "no command given"
        warn(f"wideopen: {message}{_found(error, arguments)}")
        return 2
    if os.environ.get("WIDEOPEN_DEBUG"):
        raise error
    warn(
        f"wideopen: unexpected error: {type(error).__name__}: {error} (WIDEOPEN_DEBUG=1 shows where; please report it)"
    )
    return 1


def _found(error: Exception, arguments: list[str]) -> str:
    """Return the invalid value of the option in a usage error, which the parser's message does not have."""
    names = getattr(getattr(error, "param", None), "opts", ())
    words = [part for word in arguments for part in (word.split("=", 1) if word.startswith("--") else [word])]
    return next((f", found {value!r}" for name, value in pairwise(words) if name in names), "")

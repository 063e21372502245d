"""A Ray cluster of two nodes, one of which is lost midway, reading a folder and writing to an object store."""

import logging
from pathlib import Path

import pytest

from wideopen.batch import BatchSettings
from wideopen.batch.batch import Batch
from wideopen.batch.local import LocalEngine, Stop
from wideopen.batch.manifest import Manifest
from wideopen.batch.ray_engine import RayEngine
from wideopen.batch.walk import find_photos
from wideopen.session.open_photo import Given, Job
from wideopen.settings import LensSettings, MapSettings

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray leaves files and sockets to the collector


@pytest.fixture
def bucket(monkeypatch):
    """An S3 of our own with an empty bucket; actors find it through the environment."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir("results")
    yield "s3://results/run"
    server.stop()


@pytest.fixture
def cluster(bucket, monkeypatch):
    """Two nodes with a core each; they inherit the environment, and so find the bucket."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    import ray
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args=small)
    cluster.second = cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


class Lose:
    """A listener that takes the second node away when some photos are done."""

    def __init__(self, cluster, after):
        self.cluster, self.after = cluster, after
        self.reports, self.reasons, self.skips = [], [], []

    def __call__(self, row):
        match row:
            case {"status": "done"}:
                self.reports.append(row)
                if len(self.reports) == self.after:
                    self.cluster.remove_node(self.cluster.second, allow_graceful=False)
            case {"status": "skipped", "photo": photo}:
                self.skips.append(photo)
            case {"status": "failed", "reason": reason}:
                self.reasons.append(reason)


def test_a_node_is_lost_and_every_photo_is_done_once_as_the_local_engine_does_it(shop, workers, cluster, bucket):
    folder = shop(*(f"d{n % 3}/{n:02}.jpg" for n in range(16)))
    (folder / "in" / "broken.jpg").write_bytes(b"\xff\xd8\xff garbage")
    job = Job(maps=MapSettings(depth="planar"), lens=LensSettings(blur="4px"), given=Given(mattes=folder / "mattes"))

    def run(destination, engine, listener):
        with Manifest(folder / "manifests" / Path(destination).name) as manifest:
            batch = Batch(job, destination, manifest, listener)
            batch.run(find_photos([str(folder / "in")], destination), engine, Stop())
        return listener

    def engine():
        return RayEngine(job, BatchSettings(engine="ray", address=cluster.address, timeout=60))

    on_cluster = engine()
    heard = run(bucket, on_cluster, Lose(cluster, after=3))
    photos = sorted(str(path) for path in (folder / "in").rglob("[0-9]*.jpg"))
    assert sorted(report["photo"] for report in heard.reports) == photos
    (reason,) = heard.reasons
    assert reason.startswith(f"{folder}/in/broken.jpg: damaged")

    again = run(bucket, on_cluster, Lose(cluster, after=-1))
    on_cluster.end()
    assert (again.reports, sorted(again.skips)) == ([], photos)

    run(str(folder / "local"), LocalEngine(workers, timeout_s=60), Lose(cluster, after=-1))
    import s3fs

    s3 = s3fs.S3FileSystem()
    s3.invalidate_cache()
    stored = {key.removeprefix("results/run/"): s3.cat_file(key) for key in s3.find("results/run")}
    local = {str(path.relative_to(folder / "local")): path.read_bytes() for path in (folder / "local").rglob("*.jpg")}
    assert len(local) == 16
    assert stored == local

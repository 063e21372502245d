"""One server process for all tests of the service."""

import httpx
import pytest
from service_process import running


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serve")
    options = ("--workers", "1", "--waiting", "2", "--max-mb", "4", "--max-megapixels", "2", "--depth", "planar")
    times = ("--body-timeout", "2", "--request-timeout", "60", "--uploads", "4")
    with running(*options, *times, "--folder", str(folder)) as found:
        found.folder = folder
        yield found


@pytest.fixture(scope="session")
def http(server):
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client

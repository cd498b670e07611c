"""A server that speaks S3, once for all tests of the bucket, and a bucket for each of them."""

from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from understudy.server.config.sink_settings import BucketSettings
from understudy.server.sinks.bucket.sink import BucketSink, open_bucket

from . import s3
from .detour import Detour, detour

Open = Callable[..., BucketSink]


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[s3.Server]:
    """A running server."""
    with s3.server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket(s3_server: s3.Server) -> s3.Bucket:
    """An empty bucket."""
    return s3_server.make_bucket()


@pytest.fixture
def way(s3_server: s3.Server) -> Generator[Detour]:
    """A way to the server that can be obstructed."""
    with detour(s3_server.endpoint) as one:
        yield one


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the spool is."""
    return tmp_path / "state"


@pytest.fixture
def opened(state: Path) -> Generator[Callable[[BucketSettings], BucketSink]]:
    """Opens sinks over one state folder, and closes those that are still open."""
    sinks: list[BucketSink] = []

    def open_one(settings: BucketSettings, patience: float = 5.0) -> BucketSink:
        sinks.append(open_bucket(settings, state, f"own{len(sinks)}", patience=patience))
        return sinks[-1]

    yield open_one
    for sink in sinks:
        sink.close(0.5)

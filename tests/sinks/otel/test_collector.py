"""A collector of others' making takes what is sent, and hands on all of it."""

import importlib.util
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from socket import create_connection, socket
from typing import Literal

import pytest

from ...stub.eventually import eventually_sync
from .making import mirrored, pair_id
from .opened import opened
from .receiving import receiving
from .test_arrival import check_pairs

PAIRS = 5_000
_PACKAGE = importlib.util.find_spec("rotel")  # a wheel that holds a collector in Rust


def free_port() -> int:
    """A port that nobody listens on."""
    with socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    """Whether somebody does."""
    try:
        create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def collector(onward: str, folder: Path) -> Generator[dict[str, str]]:
    """Run the collector; yields its URL for each protocol."""
    assert _PACKAGE is not None
    assert _PACKAGE.origin is not None
    agent = Path(_PACKAGE.origin).parent / "rotel-agent"
    ports = {"http/protobuf": free_port(), "grpc": free_port()}
    command = [
        str(agent),
        "start",
        "--otlp-http-endpoint",
        f"127.0.0.1:{ports['http/protobuf']}",
        "--otlp-grpc-endpoint",
        f"127.0.0.1:{ports['grpc']}",
        "--exporter",
        "otlp",
        "--otlp-exporter-endpoint",
        onward,
        "--otlp-exporter-protocol",
        "http",
        "--otlp-exporter-compression",
        "none",
        "--pid-file",
        str(folder / "pid"),
        "--log-file",
        str(folder / "log"),
    ]
    with (
        (folder / "out").open("wb") as out,
        subprocess.Popen(command, stdout=out, stderr=out) as one,
    ):
        try:
            eventually_sync(lambda: all(map(is_listening, ports.values())), within=10)
            yield {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        finally:
            one.terminate()


@pytest.mark.proof
@pytest.mark.skipif(_PACKAGE is None, reason="rotel is not installed")
@pytest.mark.parametrize("way", ["http/protobuf", "grpc"])
def test_every_span_goes_through_a_collector(
    way: Literal["http/protobuf", "grpc"], tmp_path: Path
) -> None:
    with (
        receiving() as behind,
        collector(behind.url, tmp_path) as urls,
        opened(urls[way], protocol=way) as sink,
    ):
        for number in range(PAIRS):
            sink.tell(tuple(mirrored(number)))
        eventually_sync(lambda: not sink.figures.waiting, within=60)
        eventually_sync(lambda: len(behind.spans) >= 3 * PAIRS, within=60)

        assert not sink.figures.dropped
        assert not behind.faults
        check_pairs(behind.spans, [pair_id(number) for number in range(PAIRS)])

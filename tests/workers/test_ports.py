"""Workers share their port with each other, and with nobody else."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from understudy.server.errors import ConfigError
from understudy.server.workers.places import private_socket, reserved_port

from ..service.running import serving
from ..stub.faultstub import FaultStub
from ..stub.runners import stub_thread
from .crew import configure, workers

LOOPBACK = "127.0.0.1"


def test_a_port_that_another_program_has_is_an_error() -> None:
    with (
        socket.create_server((LOOPBACK, 0)) as other,
        pytest.raises(ConfigError, match="cannot listen on"),
        reserved_port(LOOPBACK, other.getsockname()[1]),
    ):
        pass


def test_a_port_that_another_service_shares_is_an_error() -> None:
    with reserved_port(LOOPBACK, 0) as port:
        with pytest.raises(ConfigError, match="cannot listen on"), reserved_port(LOOPBACK, port):
            pass
        with socket.create_server((LOOPBACK, port), reuse_port=True):
            pass  # its own workers may


@pytest.mark.parametrize("host", ["::1", "localhost", "0.0.0.0", "::"])
def test_a_port_can_be_held_wherever_a_service_listens(host: str) -> None:
    with reserved_port(host, 0) as port:
        assert port > 0
    with reserved_port(host, port) as again:
        assert again == port


def test_two_services_do_not_share_a_port(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with (
        stub_thread(FaultStub()) as stub,
        serving(configure(stub, tmp_path), tmp_path) as server,
    ):
        port = server.target.rpartition(":")[2]
        other = tmp_path / "other/config.yaml"
        other.write_text(configure(stub, tmp_path / "other"))
        command = [sys.executable, "-m", "understudy.server", "serve", "-c", str(other)]
        ended = subprocess.run(
            [*command, "--port", port], capture_output=True, text=True, timeout=30, check=False
        )
        left = workers(server)

    assert ended.returncode == 1
    assert f"cannot listen on {LOOPBACK}:{port}" in ended.stderr
    assert len(left) == 2


def test_a_socket_goes_elsewhere_if_its_path_would_be_too_long(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 90)
    with private_socket(deep) as path:
        assert len(bytes(path)) <= 100
        assert path.parent.stat().st_mode & 0o777 == 0o700
    assert not path.parent.exists()

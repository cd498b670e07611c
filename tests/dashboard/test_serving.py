"""How the dashboard listens, and that the service does not depend on it."""

import asyncio
import os
import signal
import ssl
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from understudy import client

from ..service.asking import prompt
from ..service.configs import write
from ..service.running import local
from ..stub.eventually import eventually
from .house import Visitor, standing, with_keys
from .test_doors import SIMULATED

# What Python runs before the program: whoever is slow to ask is given up sooner.
HASTY = "import understudy.server.dashboard.wire as wire; wire.Wire.longest_head = 0.2"


def write_customization(folder: Path, text: str) -> str:
    """Have every Python that is started with this path run a text first; return the path."""
    (folder / "sitecustomize.py").write_text(text)
    return f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"


def find_child(parent: int | None = None) -> int:
    """Return the dashboard's process."""
    for one in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int((one / "stat").read_text().rpartition(")")[2].split()[1]) != (
                parent or os.getpid()
            ):
                continue
            if b"dashboard_process" in (one / "cmdline").read_bytes():
                return int(one.name)
    raise AssertionError("there is no such process")


def is_running(pid: int) -> bool:
    """Whether there is a process that is not merely waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.asyncio
async def test_over_tls_the_cookie_is_for_tls_only(tmp_path: Path) -> None:
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost")
    leaf.private_key_pem.write_to_path(tmp_path / "key.pem")
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    tls = {"cert_file": str(tmp_path / "cert.pem"), "key_file": str(tmp_path / "key.pem")}
    section = {
        "server": with_keys(host="localhost", tls=tls),
        "dashboard": {"port": 0, "host": "localhost"},
        "state_dir": str(tmp_path),
    }
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    trust = ssl.create_default_context(cafile=str(tmp_path / "authority.pem"))

    async with local(write(SIMULATED, understudy=section)) as house:
        place = urlsplit(house.service.dashboard)
        assert place.scheme == "https"
        reader, writer = await asyncio.open_connection(place.hostname, place.port, ssl=trust)
        writer.write(b"GET /login HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        reply = await reader.read()
        writer.close()
        await writer.wait_closed()

    assert reply.startswith(b"HTTP/1.1 200")
    assert b"set-cookie: __Host-understudy-" in reply
    assert b"; Secure" in reply


@pytest.mark.asyncio
async def test_who_sends_no_request_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", write_customization(tmp_path, HASTY))
    section = {"dashboard": {"port": 0}, "server": {"port": 0}, "state_dir": str(tmp_path)}

    async with local(write(SIMULATED, understudy=section)) as house:
        place = urlsplit(house.service.dashboard)
        for sent in (b"", b"GET / HTTP/1.1\r\nhost: local"):
            reader, writer = await asyncio.open_connection(place.hostname, place.port)
            writer.write(sent)
            assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()
        visitor = Visitor(house.service.dashboard)
        assert (await asyncio.to_thread(visitor.get, "/experiments")).status == 200


@pytest.mark.asyncio
async def test_the_service_goes_on_without_the_dashboard_which_comes_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    section = {"dashboard": {"port": 0}, "server": {"port": 0}, "state_dir": str(tmp_path)}

    async with local(write(SIMULATED, understudy=section)) as house:
        visitor = Visitor(house.service.dashboard)
        assert (await asyncio.to_thread(visitor.get, "/experiments")).status == 200
        pid = find_child()
        os.kill(pid, signal.SIGKILL)
        answer = await house.stub.CreateCompletion(prompt("gpt-4"))
        assert answer.choices
        # Its socket is the service's: whoever comes meanwhile waits for the next process.
        assert (await asyncio.to_thread(visitor.get, "/experiments")).status == 200
        assert find_child() != pid

    assert "ended with -9; the service goes on without the dashboard" in caplog.text


@pytest.mark.asyncio
async def test_it_ends_with_a_service_that_is_killed(tmp_path: Path) -> None:
    with standing(tmp_path) as house:
        visitor = Visitor(house.url)
        await asyncio.to_thread(visitor.get, "/experiments")
        pid = find_child(house.pid)
        os.kill(house.pid, signal.SIGKILL)
        await eventually(lambda: not is_running(pid), within=10)


def test_no_key_of_a_provider_is_in_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    with standing(tmp_path) as house:
        Visitor(house.url).get("/experiments")
        pid = find_child(house.pid)
        for name in ("environ", "cmdline"):
            assert b"sk-canary" not in Path(f"/proc/{pid}/{name}").read_bytes()


def test_with_several_workers_it_changes_what_all_of_them_serve(tmp_path: Path) -> None:
    with (
        standing(tmp_path, server={"port": 0, "workers": 2}) as house,
        client.Client(house.target) as caller,
    ):
        message = {"role": "user", "content": "hi"}
        caller.completion_with_split_tests(
            models={"gpt-4": 0.1, "llama-2": 0.9},
            messages=[message],
            use_client=True,
            id="greeting",
        )
        visitor = Visitor(house.url)
        assert "Running" in visitor.get("/experiments/greeting").text
        form = {"token": visitor.token("/experiments/greeting"), "cause": "enough"}
        assert visitor.post("/experiments/greeting/roll-back", form).status == 303
        before = house.stub.count
        for _ in range(20):
            caller.completion(experiment="greeting", messages=[message])

        assert {one.model for one in list(house.stub.requests)[before:]} == {"llama-2"}

"""How the dashboard listens, and that the service does not depend on it."""

import asyncio
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from understudy import client
from understudy.server.dashboard.wire import Wire

from ..service.asking import prompt
from ..service.configs import write
from ..service.running import local
from .house import Visitor, standing, with_keys
from .test_doors import SIMULATED


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
    monkeypatch.setattr(Wire, "longest_head", 0.2)
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
async def test_the_service_goes_on_without_the_dashboard(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise OSError("no more files")

    monkeypatch.setattr("uvicorn.Server.serve", fail)
    section = {"dashboard": {"port": 0}, "server": {"port": 0}, "state_dir": str(tmp_path)}

    async with local(write(SIMULATED, understudy=section)) as house:
        answer = await house.stub.CreateCompletion(prompt("gpt-4"))
        assert answer.choices

    assert "the service goes on without the dashboard" in caplog.text


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

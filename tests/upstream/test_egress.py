"""Proxies: none but the operator's, which sees what it must and no more."""

import asyncio
import base64
from pathlib import Path

import pytest

from understudy.server.errors import Reason
from understudy.server.upstream import HttpUpstream
from understudy.server.upstream.egress import Proxy

from ..stub.certificates import Authority
from ..stub.dead_ends import refusing_port
from ..stub.faultstub import FaultStub
from .asking import ask, fail, request
from .tunnel import Tunnel

KEY = (("authorization", "Bearer sk-canary"),)
BASIC = "Basic " + base64.b64encode(b"me:p@ss").decode()


@pytest.mark.asyncio
async def test_plain_requests_go_through_the_proxy_with_its_credentials(stub: FaultStub) -> None:
    proxy = stub.url.replace("http://", "http://me:p%40ss@")
    async with HttpUpstream(proxy=proxy) as upstream:
        answer = await ask(upstream, request("http://model.test:8000", headers=KEY))

    assert answer.status == 200
    seen = stub.requests[0]
    assert seen.path == "http://model.test:8000/v1/chat/completions"
    assert seen.headers["proxy-authorization"] == BASIC
    assert seen.headers["authorization"] == "Bearer sk-canary"
    assert seen.headers["host"] == "model.test:8000"


@pytest.mark.asyncio
async def test_tls_goes_through_a_tunnel_that_sees_neither_key_nor_prompt(tmp_path: Path) -> None:
    authority = Authority()
    tunnel = Tunnel()
    async with (
        FaultStub(tls=authority.serve_as("127.0.0.1")) as stub,
        await asyncio.start_server(tunnel, "127.0.0.1", 0) as server,
        HttpUpstream(
            proxy=f"http://me:p%40ss@127.0.0.1:{server.sockets[0].getsockname()[1]}",
            ca_file=authority.write_to(tmp_path),
        ) as upstream,
    ):
        for _ in range(2):
            assert (await ask(upstream, request(stub.url, headers=KEY))).status == 200

        assert "proxy-authorization" not in stub.requests[0].headers
    assert len(tunnel.heads) == 1
    assert f"proxy-authorization: {BASIC}".lower() in tunnel.heads[0].decode().lower()
    assert b"sk-canary" not in tunnel.heads[0]


@pytest.mark.asyncio
async def test_hosts_of_no_proxy_are_reached_without_it(stub: FaultStub) -> None:
    with refusing_port() as port:
        dead = f"http://127.0.0.1:{port}"
        async with HttpUpstream(proxy=dead, no_proxy=["127.0.0.0/8"]) as upstream:
            assert (await ask(upstream, request(stub.url))).status == 200


@pytest.mark.asyncio
async def test_a_proxy_that_is_not_there() -> None:
    with refusing_port() as port:
        async with HttpUpstream(proxy=f"http://me:sk-canary@127.0.0.1:{port}") as upstream:
            asked = request("http://model.test")
            error = await fail(upstream, asked, Reason.UPSTREAM_CONNECT_FAILED)

    assert error.message == "cannot connect to the proxy before http://model.test"


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [403, 407, 502])
async def test_a_proxy_that_will_not_connect(status: int) -> None:
    async with (
        await asyncio.start_server(Tunnel(status), "127.0.0.1", 0) as server,
        HttpUpstream(proxy=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as upstream,
    ):
        error = await fail(upstream, request("https://model.test"), Reason.UPSTREAM_CONNECT_FAILED)

    assert str(status) in error.message


@pytest.mark.asyncio
async def test_the_environment_names_no_proxy_and_no_credentials(
    stub: FaultStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with refusing_port() as port:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
            monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{port}")

        async with HttpUpstream() as upstream:
            assert (await ask(upstream, request(stub.url))).status == 200

    assert "authorization" not in stub.requests[0].headers


@pytest.mark.parametrize(
    ("entry", "host", "direct"),
    [
        ("*", "a.test", True),
        ("a.test", "a.test", True),
        ("a.test", "b.a.test", True),
        (".a.test", "b.a.test", True),
        ("A.Test ", "a.test", True),
        ("a.test", "ba.test", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "a.test", False),
        ("::1", "::1", True),
        ("", "a.test", False),
    ],
)
def test_what_an_entry_of_no_proxy_covers(entry: str, host: str, direct: bool) -> None:
    assert Proxy("http://proxy.test", (entry,)).serves(host) is not direct


def test_a_proxys_credentials_are_not_shown() -> None:
    proxy = Proxy("http://me:secret@proxy.test")

    assert "secret" not in repr(proxy)
    assert "secret" not in repr(proxy.to_httpx())

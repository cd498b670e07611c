"""Whom an endpoint trusts is its own affair: nobody else's connections are good or bad for it."""

import asyncio
from pathlib import Path

import pytest

from understudy.server.domain.deployment import Endpoint, Trust
from understudy.server.errors import Reason
from understudy.server.ports import HttpRequest
from understudy.server.upstream import HttpUpstream
from understudy.server.upstream.egress import USUAL, TlsContexts

from ..stub.certificates import Authority
from ..stub.faultstub import FaultStub
from .asking import ask, fail, prompt
from .tunnel import Tunnel

HEEDLESS = Trust(verify=False)


def request(origin: str, trust: Trust | None) -> HttpRequest:
    return HttpRequest(Endpoint(f"{origin}/v1/chat/completions", (), trust=trust), prompt("ok"))


@pytest.mark.asyncio
async def test_a_ca_file_of_an_endpoint_counts_for_it_alone(
    authority: Authority, tmp_path: Path, upstream: HttpUpstream
) -> None:
    async with FaultStub(tls=authority.serve_as("127.0.0.1")) as stub:
        own = Trust(ca_file=authority.write_to(tmp_path))

        assert (await ask(upstream, request(stub.url, own))).status == 200
        await fail(upstream, request(stub.url, None), Reason.UPSTREAM_TLS_UNTRUSTED)
        await fail(upstream, request(stub.url, Trust()), Reason.UPSTREAM_TLS_UNTRUSTED)


@pytest.mark.asyncio
async def test_it_counts_beside_that_of_the_service(authority: Authority, tmp_path: Path) -> None:
    other = Authority()
    (tmp_path / "other").mkdir()
    own = Trust(ca_file=other.write_to(tmp_path / "other"))
    async with (
        FaultStub(tls=authority.serve_as("127.0.0.1")) as one,
        FaultStub(tls=other.serve_as("127.0.0.1")) as two,
        HttpUpstream(ca_file=authority.write_to(tmp_path)) as upstream,
    ):
        for stub in (one, two):
            assert (await ask(upstream, request(stub.url, own))).status == 200


@pytest.mark.asyncio
@pytest.mark.parametrize("identity", ["127.0.0.1", "other.test"])
async def test_a_connection_that_was_not_verified_is_no_good_to_others(
    authority: Authority, upstream: HttpUpstream, identity: str
) -> None:
    async with FaultStub(tls=authority.serve_as(identity)) as stub:
        for _ in range(2):
            assert (await ask(upstream, request(stub.url, HEEDLESS))).status == 200
            await fail(upstream, request(stub.url, None), Reason.UPSTREAM_TLS_UNTRUSTED)

        assert stub.count == 2
        assert stub.connections[0].requests == 2  # it is good to those who asked for it


@pytest.mark.asyncio
async def test_nor_is_one_through_a_proxy(authority: Authority) -> None:
    async with FaultStub(tls=authority.serve_as("127.0.0.1")) as stub:
        tunnel = Tunnel(port=stub.port)
        async with (
            await asyncio.start_server(tunnel, "127.0.0.1", 0) as server,
            HttpUpstream(
                proxy=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            ) as upstream,
        ):
            assert (await ask(upstream, request("https://model.test", HEEDLESS))).status == 200
            asked = request("https://model.test", None)
            await fail(upstream, asked, Reason.UPSTREAM_TLS_UNTRUSTED)

        assert stub.count == 1


@pytest.mark.asyncio
async def test_a_proxy_is_verified_whatever_an_endpoint_is_forgiven() -> None:
    async with HttpUpstream(proxy="https://me:secret@127.0.0.1:9") as upstream:
        asked = request("https://model.test", HEEDLESS)

        error = await fail(upstream, asked, Reason.DEPLOYMENT_UNUSABLE)

    assert "must be verified" in error.message
    assert "secret" not in error.message


@pytest.mark.asyncio
async def test_a_ca_file_that_is_not_there_spoils_its_own_endpoint_only(
    stub: FaultStub, upstream: HttpUpstream, tmp_path: Path
) -> None:
    (tmp_path / "empty.pem").touch()
    for file in ("nowhere.pem", "empty.pem"):
        asked = request("https://model.test", Trust(ca_file=str(tmp_path / file)))
        await fail(upstream, asked, Reason.DEPLOYMENT_UNUSABLE)

    assert (await ask(upstream, request(stub.url, None))).status == 200


@pytest.mark.asyncio
async def test_nothing_is_opened_once_it_is_closed(stub: FaultStub) -> None:
    upstream = HttpUpstream()
    await upstream.aclose()

    await fail(upstream, request(stub.url, HEEDLESS), Reason.UPSTREAM_CONNECTION_LOST)


def test_a_context_is_made_once_for_each_way_to_trust(authority: Authority, tmp_path: Path) -> None:
    contexts = TlsContexts()
    own = Trust(ca_file=authority.write_to(tmp_path))

    made = [contexts.find(trust) for trust in (USUAL, Trust(), own, own, HEEDLESS, HEEDLESS)]

    assert made[0] is made[1]
    assert made[2] is made[3]
    assert made[4] is made[5]
    assert len({id(one) for one in made}) == 3

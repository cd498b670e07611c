"""TLS: certificates and host names are checked, and the environment has no say."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest

from understudy.server.errors import Reason
from understudy.server.upstream import HttpUpstream

from ..stub.certificates import Authority
from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .asking import ask, fail, request

pytestmark = pytest.mark.asyncio


async def test_an_authority_of_the_operators_own_is_trusted(
    authority: Authority, tmp_path: Path
) -> None:
    async with (
        FaultStub(tls=authority.serve_as("127.0.0.1")) as stub,
        HttpUpstream(ca_file=authority.write_to(tmp_path)) as upstream,
    ):
        for _ in range(2):
            assert (await ask(upstream, request(stub.url))).status == 200

        assert stub.connection_count == 1


async def test_an_unknown_authority_is_not(upstream: HttpUpstream, authority: Authority) -> None:
    async with FaultStub(tls=authority.serve_as("127.0.0.1")) as stub:
        error = await fail(upstream, request(stub.url), Reason.UPSTREAM_TLS_UNTRUSTED)

    assert "unable to get local issuer certificate" in error.message
    assert stub.count == 0
    await eventually(lambda: not upstream.open_connections)


async def test_another_hosts_certificate_is_not(authority: Authority, tmp_path: Path) -> None:
    async with (
        FaultStub(tls=authority.serve_as("other.test")) as stub,
        HttpUpstream(ca_file=authority.write_to(tmp_path)) as upstream,
    ):
        error = await fail(upstream, request(stub.url), Reason.UPSTREAM_TLS_UNTRUSTED)

        assert "mismatch" in error.message
        assert stub.count == 0


async def test_the_environment_adds_no_authority(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", authority.write_to(tmp_path))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", authority.write_to(tmp_path))
    async with (
        FaultStub(tls=authority.serve_as("127.0.0.1")) as stub,
        HttpUpstream() as upstream,
    ):
        await fail(upstream, request(stub.url), Reason.UPSTREAM_TLS_UNTRUSTED)


async def test_the_name_that_was_asked_for_is_the_one_that_is_checked(
    authority: Authority, tmp_path: Path
) -> None:
    async with (
        FaultStub(tls=authority.serve_as("model.test")) as stub,
        HttpUpstream(
            ca_file=authority.write_to(tmp_path), lookup=lambda _: ["127.0.0.1"]
        ) as upstream,
    ):
        asked = request(f"https://model.test:{stub.port}")

        assert (await ask(upstream, asked)).status == 200


async def test_a_peer_that_does_not_speak_tls(upstream: HttpUpstream) -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]

        await fail(upstream, request(f"https://127.0.0.1:{port}"), Reason.UPSTREAM_CONNECT_FAILED)

    await eventually(lambda: not upstream.open_connections)


async def test_a_handshake_that_is_cut(upstream: HttpUpstream) -> None:
    async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        asked = request(f"https://127.0.0.1:{port}")

        await fail(upstream, asked, Reason.UPSTREAM_CONNECT_FAILED)


async def test_a_handshake_that_is_never_answered() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with HttpUpstream(connect_timeout=0.2) as upstream:
            asked = request(f"https://127.0.0.1:{silent.getsockname()[1]}")

            await fail(upstream, asked, Reason.UPSTREAM_CONNECT_TIMEOUT)

            await eventually(lambda: not upstream.open_connections)


async def test_a_cut_reply_over_tls_is_truncated(authority: Authority, tmp_path: Path) -> None:
    async with (
        FaultStub(tls=authority.serve_as("127.0.0.1")) as stub,
        HttpUpstream(ca_file=authority.write_to(tmp_path)) as upstream,
    ):
        await fail(upstream, request(stub.url, "truncated"), Reason.UPSTREAM_TRUNCATED)


async def test_old_versions_are_not_spoken(authority: Authority, tmp_path: Path) -> None:
    context = authority.serve_as("127.0.0.1")
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with (
        FaultStub(tls=context) as stub,
        HttpUpstream(ca_file=authority.write_to(tmp_path)) as upstream,
    ):
        await fail(upstream, request(stub.url), Reason.UPSTREAM_CONNECT_FAILED)

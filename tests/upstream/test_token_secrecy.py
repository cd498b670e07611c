"""Tokens and secrets are shown to nobody but whom they are for."""

import asyncio
import logging
from pathlib import Path

import pytest

from understudy.server.domain.deployment import Trust
from understudy.server.errors import Reason, UpstreamError
from understudy.server.upstream import HttpUpstream

from ..stub.certificates import Authority
from ..stub.faultstub import FaultStub
from .desk import Desk
from .signing_in import SECRET, Caller, Clock
from .tunnel import Tunnel

pytestmark = pytest.mark.asyncio


async def test_a_secret_is_not_shown_to_whom_nobody_vouches_for(
    stub: FaultStub, authority: Authority
) -> None:
    async with (
        Desk(authority.serve_as("127.0.0.1")) as desk,
        HttpUpstream() as http,
        (caller := Caller(stub, desk, http, Clock())).signed_in,
    ):
        for trust in (None, Trust(verify=False)):
            with pytest.raises(UpstreamError, match="is not trusted") as caught:
                await caller.ask(endpoint=caller.at(trust))
            assert caught.value.reason is Reason.UPSTREAM_UNAVAILABLE

        assert desk.count == 0


async def test_an_endpoints_own_authorities_vouch_for_its_login_too(
    stub: FaultStub, authority: Authority, tmp_path: Path
) -> None:
    async with (
        Desk(authority.serve_as("127.0.0.1")) as desk,
        HttpUpstream() as http,
        (caller := Caller(stub, desk, http, Clock())).signed_in,
    ):
        trust = Trust(ca_file=authority.write_to(tmp_path))

        assert await caller.ask(endpoint=caller.at(trust)) == 200


async def test_a_login_goes_through_the_proxy_unseen(authority: Authority, tmp_path: Path) -> None:
    tunnel = Tunnel()
    context = authority.serve_as("127.0.0.1")
    async with (
        FaultStub(tls=context) as stub,
        Desk(context) as desk,
        await asyncio.start_server(tunnel, "127.0.0.1", 0) as server,
        HttpUpstream(
            proxy=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
            ca_file=authority.write_to(tmp_path),
        ) as http,
        (caller := Caller(stub, desk, http, Clock())).signed_in,
    ):
        assert await caller.ask() == 200

    hosts = [head.split(b" ")[1].decode() for head in tunnel.heads]
    assert hosts == [desk.url.split("/")[2], f"127.0.0.1:{stub.port}"]
    assert b"token-1" not in tunnel.passed


async def test_neither_token_nor_secret_is_shown(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await caller.ask()
    caller.desk.refusal = (400, SECRET.encode() + b" token-1")
    caller.clock.skip(3599)
    message = await caller.fail(Reason.UPSTREAM_CREDENTIALS_REJECTED)

    shown = caplog.text + message + repr(caller.endpoint) + repr(caller.login)

    assert SECRET not in shown
    assert "token-1" not in shown
    assert "Bearer" not in shown

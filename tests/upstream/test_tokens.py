"""Signing in: one token for all who wait, renewed in time, and shown to nobody."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from understudy.server.domain.deployment import ClientCredentials, Endpoint, Secret, Trust
from understudy.server.errors import Reason, UpstreamError
from understudy.server.ports import HttpRequest
from understudy.server.upstream import HttpUpstream, SignedIn

from ..stub.certificates import Authority
from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .asking import prompt
from .desk import Desk
from .tunnel import Tunnel

pytestmark = pytest.mark.asyncio

SECRET = "canary~secret/with+signs"


class Clock:
    """The loop's clock, which a test may put forward."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ahead = 0.0

    def __call__(self) -> float:
        return self._loop.time() + self._ahead

    def skip(self, seconds: float) -> None:
        self._ahead += seconds


class Caller:
    """Asks the stub's models, signed in at the desk."""

    def __init__(self, stub: FaultStub, desk: Desk, http: HttpUpstream, clock: Clock) -> None:
        self.stub, self.desk, self.clock = stub, desk, clock
        self.signed_in = SignedIn(http, clock)
        self.login = ClientCredentials(desk.url, "me", Secret(SECRET, "S"), "scope/.default")
        self.endpoint = self.at(None)

    def at(self, trust: Trust | None) -> Endpoint:
        url = f"{self.stub.url}/v1/chat/completions"
        return Endpoint(url, (("x-team", "a"),), login=self.login, trust=trust)

    async def ask(
        self, model: str = "ok", *, within: float = 5.0, endpoint: Endpoint | None = None
    ) -> int:
        request = HttpRequest(endpoint or self.endpoint, prompt(model))
        async with self.signed_in.exchange(request, self.clock() + within) as exchange:
            async for _ in exchange.chunks():
                pass
            return exchange.status

    async def fail(self, reason: Reason, model: str = "ok", *, within: float = 5.0) -> str:
        with pytest.raises(UpstreamError) as caught:
            await self.ask(model, within=within)
        assert caught.value.reason is reason, caught.value.message
        return caught.value.message

    @property
    def sent(self) -> list[str]:
        """The credentials that the models saw."""
        return [one.headers["authorization"] for one in self.stub.requests]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest_asyncio.fixture
async def caller(stub: FaultStub, authority: Authority, tmp_path: Path) -> AsyncGenerator[Caller]:
    async with (
        Desk(authority.serve_as("127.0.0.1")) as desk,
        HttpUpstream(ca_file=authority.write_to(tmp_path)) as http,
    ):
        made = Caller(stub, desk, http, Clock())
        async with made.signed_in:
            yield made


async def test_a_request_carries_the_token_that_its_login_yields(caller: Caller) -> None:
    assert await caller.ask() == 200

    assert caller.desk.forms == [
        {
            "grant_type": "client_credentials",
            "client_id": "me",
            "client_secret": SECRET,
            "scope": "scope/.default",
        }
    ]
    assert caller.sent == ["Bearer token-1"]
    assert caller.stub.requests[0].headers["x-team"] == "a"
    assert not {"authorization", "x-team"} & caller.desk.headers[0].keys()


async def test_many_who_wait_ask_once(caller: Caller) -> None:
    caller.desk.open.clear()
    asked = [asyncio.create_task(caller.ask()) for _ in range(50)]
    await eventually(lambda: caller.desk.count)
    caller.desk.open.set()

    assert await asyncio.gather(*asked) == [200] * 50
    assert await caller.ask() == 200
    assert caller.desk.count == 1
    assert set(caller.sent) == {"Bearer token-1"}


async def test_a_token_is_renewed_before_it_ends_and_nobody_waits(caller: Caller) -> None:
    await caller.ask()
    caller.clock.skip(3600 * 0.79)
    await caller.ask()
    assert caller.desk.count == 1

    caller.desk.open.clear()
    caller.clock.skip(3600 * 0.02)
    await caller.ask()
    await eventually(lambda: caller.desk.count == 2)
    await caller.ask()
    caller.desk.open.set()

    async def renewed() -> None:
        while caller.sent[-1] != "Bearer token-2":
            await caller.ask()

    await asyncio.wait_for(renewed(), 5)
    assert caller.desk.count == 2


async def test_an_old_token_is_used_while_it_lasts_though_renewing_fails(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    await caller.ask()
    caller.desk.refusal = (503, b"")
    caller.clock.skip(3600 * 0.9)
    await caller.ask()
    await eventually(lambda: "the token at hand lasts another 3" in caplog.text)

    for _ in range(5):
        assert await caller.ask() == 200

    assert set(caller.sent) == {"Bearer token-1"}
    assert caller.desk.count == 2
    caller.clock.skip(3600 * 0.1)
    await caller.fail(Reason.UPSTREAM_UNAVAILABLE)


async def test_an_expired_token_is_never_sent(caller: Caller) -> None:
    await caller.ask()
    caller.clock.skip(3580)

    await caller.ask()

    assert caller.sent == ["Bearer token-1", "Bearer token-2"]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, Reason.UPSTREAM_CREDENTIALS_REJECTED),
        (401, Reason.UPSTREAM_CREDENTIALS_REJECTED),
        (403, Reason.UPSTREAM_CREDENTIALS_REJECTED),
        (302, Reason.UPSTREAM_UNAVAILABLE),
        (408, Reason.UPSTREAM_UNAVAILABLE),
        (429, Reason.UPSTREAM_UNAVAILABLE),
        (500, Reason.UPSTREAM_UNAVAILABLE),
        (503, Reason.UPSTREAM_UNAVAILABLE),
    ],
)
async def test_a_refusal_says_why_in_codes_and_nothing_else(
    caller: Caller, status: int, reason: Reason
) -> None:
    told = f"AADSTS7000215: Invalid client secret {SECRET} of app 1234."
    body = {"error": "invalid_client", "error_description": told}
    caller.desk.refusal = (status, json.dumps(body).encode())

    message = await caller.fail(reason)

    assert message.endswith(f"was refused with HTTP {status} (AADSTS7000215, invalid_client)")
    assert SECRET not in message
    assert caller.stub.count == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b"[" * 50_000,
        b'{"access_token": ""}',
        b'{"access_token": "a b", "expires_in": 3600}',
        b'{"access_token": "a\\r\\nx: y", "expires_in": 3600}',
        b'{"access_token": "a", "expires_in": -1}',
        b'{"access_token": "a", "expires_in": "soon"}',
        b'{"access_token": "a", "expires_in": "nan"}',
        b'{"access_token": "a", "expires_in": 1' + b"0" * 400 + b"}",
        b'{"access_token": 7, "expires_in": 3600}',
        b" " * (65 << 10) + b'{"access_token": "a"}',
    ],
)
async def test_what_is_no_token_is_not_sent(caller: Caller, body: bytes) -> None:
    caller.desk.refusal = (200, body)

    await caller.fail(Reason.UPSTREAM_UNAVAILABLE)

    assert caller.stub.count == 0


@pytest.mark.parametrize("lasts", ["3600", 3600.0, 1e300])
async def test_how_long_a_token_lasts_comes_in_many_spellings(
    caller: Caller, lasts: object
) -> None:
    caller.desk.lasts = lasts
    await caller.ask()
    caller.clock.skip(60)

    await caller.ask()

    assert caller.desk.count == 1


async def test_a_failure_stands_for_a_second(caller: Caller) -> None:
    caller.desk.refusal = (401, b"")
    first = await caller.fail(Reason.UPSTREAM_CREDENTIALS_REJECTED)
    for _ in range(5):
        assert await caller.fail(Reason.UPSTREAM_CREDENTIALS_REJECTED) == first
    assert caller.desk.count == 1

    caller.desk.refusal = None
    caller.clock.skip(1.1)

    assert await caller.ask() == 200


async def test_nobody_waits_beyond_his_deadline(caller: Caller) -> None:
    caller.desk.open.clear()
    patient = asyncio.create_task(caller.ask())
    started = asyncio.get_running_loop().time()

    await caller.fail(Reason.UPSTREAM_READ_TIMEOUT, within=0.2)

    assert asyncio.get_running_loop().time() - started < 1
    caller.desk.open.set()
    assert await patient == 200
    assert caller.desk.count == 1


async def test_one_who_gives_up_leaves_the_token_to_the_others(caller: Caller) -> None:
    caller.desk.open.clear()
    first, second = (asyncio.create_task(caller.ask()) for _ in range(2))
    await eventually(lambda: caller.desk.count)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    caller.desk.open.set()

    assert await second == 200
    assert caller.desk.count == 1


async def test_a_token_that_a_model_refuses_is_replaced_once(caller: Caller) -> None:
    assert await caller.ask("status-401") == 401
    assert caller.desk.count == 1  # it is new, so another would fare no better

    caller.clock.skip(61)
    assert await caller.ask("status-401") == 401

    assert caller.sent == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]
    assert caller.desk.count == 2


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


@pytest.mark.parametrize("when", ["waiting", "renewing"])
async def test_closing_breaks_off(caller: Caller, when: str) -> None:
    if when == "renewing":
        await caller.ask()
        caller.clock.skip(3600 * 0.9)
    caller.desk.open.clear()
    waiting = asyncio.create_task(caller.ask())
    await eventually(lambda: caller.desk.count == (2 if when == "renewing" else 1))

    await caller.signed_in.aclose()

    assert all(one.get_name() != "signing-in" for one in asyncio.all_tasks())
    (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
    assert outcome == 200 if when == "renewing" else isinstance(outcome, UpstreamError)

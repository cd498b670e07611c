"""Signing in: one token for all who wait, renewed in time."""

import asyncio
import json

import pytest

from understudy.server.errors import Reason, UpstreamError

from ..stub.eventually import eventually
from .signing_in import SECRET, Caller

pytestmark = pytest.mark.asyncio


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

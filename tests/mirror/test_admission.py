"""Quotas, money and health, as they stop copies, on a clock of the test's own and on sockets."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from understudy.server.config.settings import BudgetSettings, MirrorSettings
from understudy.server.domain.deployment import Deployment
from understudy.server.domain.mirroring import Outcome, SilentTarget
from understudy.server.errors import Reason
from understudy.server.mirror import Circuit, Shed
from understudy.server.mirror.budget import NANO, Budget
from understudy.server.mirror.copies import Copy
from understudy.server.mirror.headroom import Headroom
from understudy.server.mirror.reserving import reserve_copy
from understudy.server.ports import Exchange, HttpRequest, Upstream

from ..stub.dead_ends import refusing_port
from ..stub.faultstub import FaultStub
from .playing import Notes, answered, chat, deployment, mirroring, offer, target

_ORIGIN = "http://127.0.0.1:9"
_CENT = NANO // 100


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def limits(remaining: str, total: str = "100", **more: str) -> Mapping[str, str]:
    """What a provider says of its requests."""
    return {
        "x-ratelimit-remaining-requests": remaining,
        "x-ratelimit-limit-requests": total,
        **{name.replace("_", "-"): value for name, value in more.items()},
    }


def at(origin: str, group: str, key: str = "sk-1") -> Deployment:
    """A deployment with a key."""
    one = deployment(origin, "ok", group)
    assert one.endpoint is not None
    object.__setattr__(one.endpoint, "headers", (("authorization", f"Bearer {key}"),))
    return one


def test_the_last_fifth_of_a_shared_quota_is_the_primarys() -> None:
    clock = Clock()
    headroom = Headroom(clock)
    primary, silent = at(_ORIGIN, "primary"), at(_ORIGIN, "silent")

    headroom.note(primary, limits("20"))
    assert not headroom.is_low(silent)
    headroom.note(primary, limits("19"))
    assert headroom.is_low(silent)
    clock.now = 59.9
    assert headroom.is_low(silent)
    clock.now = 60.0
    assert not headroom.is_low(silent)


def test_who_has_another_key_or_origin_has_another_quota() -> None:
    headroom = Headroom(Clock())
    headroom.note(at(_ORIGIN, "primary"), limits("0"))
    assert not headroom.is_low(at(_ORIGIN, "silent", "sk-2"))
    assert not headroom.is_low(at("http://127.0.0.1:10", "silent"))


def test_the_provider_says_when_its_window_ends() -> None:
    clock = Clock()
    headroom = Headroom(clock)
    one = at(_ORIGIN, "silent")
    headroom.note(one, limits("1", x_ratelimit_reset_requests="1m30s"))
    clock.now = 89.0
    assert headroom.is_low(one)
    clock.now = 90.0
    assert not headroom.is_low(one)


def test_a_reply_with_room_opens_what_its_own_deployment_closed_and_no_other() -> None:
    headroom = Headroom(Clock())
    one, other = at(_ORIGIN, "one"), at(_ORIGIN, "other")
    headroom.note(one, limits("1"))
    headroom.note(other, limits("99"))
    assert headroom.is_low(other)
    headroom.note(one, limits("99"))
    assert not headroom.is_low(other)


def test_either_limit_counts() -> None:
    headroom = Headroom(Clock())
    one = at(_ORIGIN, "one")
    tokens = {"x-ratelimit-remaining-tokens": "1", "x-ratelimit-limit-tokens": "100000"}
    headroom.note(one, {**limits("90"), **tokens})
    assert headroom.is_low(one)


@pytest.mark.parametrize("remaining", ["", "-1", "1e9", "a", "٣", "9" * 99])
def test_nonsense_about_limits_is_no_word_about_limits(remaining: str) -> None:
    headroom = Headroom(Clock())
    one = at(_ORIGIN, "one")
    headroom.note(one, limits("1"))
    headroom.note(one, limits(remaining))
    headroom.note(one, limits("50", "0"))
    assert headroom.is_low(one)


def test_the_headroom_holds_no_credential() -> None:
    """S-5."""
    headroom = Headroom(Clock())
    headroom.note(at(_ORIGIN, "one", "sk-canary"), limits("1"))
    assert "canary" not in repr(vars(headroom))


def test_calls_in_flight_cannot_overspend_together() -> None:
    """M-23: reserved before they are sent, given back if they never reached the model."""
    budget = Budget(usd=1.0, per=10.0)
    granted = sum(budget.reserve("silent", _CENT, 0.0) for _ in range(1000))
    assert (granted, budget.spent("silent", 0.0)) == (100, NANO)
    assert budget.reserve("other", _CENT, 0.0)

    budget.settle("silent", _CENT, 0, since=0.0)

    assert budget.reserve("silent", _CENT, 9.9)
    assert not budget.reserve("silent", _CENT, 9.9)
    assert budget.reserve("silent", _CENT, 10.0)
    assert budget.spent("silent", 10.0) == _CENT


def test_a_budget_of_nothing_buys_nothing_but_simulated_calls() -> None:
    budget = Budget(usd=0.0, per=10.0)
    one = deployment(_ORIGIN)
    copy = Copy("pair", chat(), 100, SilentTarget("silent", one), 0.0)
    assert not budget.reserve("silent", reserve_copy(copy, at=0, timeout=1, assumed=_CENT), 0.0)
    object.__setattr__(one, "provider", "simulated")
    assert budget.reserve("silent", reserve_copy(copy, at=0, timeout=1, assumed=_CENT), 0.0)


@pytest.mark.asyncio
async def test_the_budget_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """M-23."""
    notes = Notes()
    settings = MirrorSettings(budget=BudgetSettings(usd=0.05))
    async with FaultStub() as stub, mirroring(notes, settings) as mirror:
        with caplog.at_level(logging.WARNING):
            for _ in range(50):
                one = offer(target(stub))
                mirror.offer(one)
                mirror.settle(answered(one))
            await notes.wait_for(50)
        (state,) = mirror.state.silent_models
        assert (state.spent, state.cap, state.cap_window) == (NANO // 20, NANO // 20, 86_400.0)
    assert stub.count == 5
    assert notes.reasons == {"": 5, Shed.BUDGET: 45}
    assert len([one for one in caplog.records if "budget" in one.message]) == 1


@pytest.mark.asyncio
async def test_a_call_that_reached_no_model_costs_nothing() -> None:
    """M-23."""
    notes = Notes()
    with refusing_port() as port:
        async with mirroring(notes) as mirror:
            mirror.offer(offer(target(f"http://127.0.0.1:{port}")))
            await notes.wait_for(1)
            assert mirror.state.silent_models[0].spent == 0


@pytest.mark.asyncio
async def test_a_silent_model_that_fails_is_left_alone() -> None:
    """M-4: no retry, and after some failures no call."""
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes, MirrorSettings(threads=3)) as mirror:
        for number in range(1, 31):
            mirror.offer(offer(target(stub, "status-500")))
            await notes.wait_for(number)
        assert mirror.state.silent_models[0].circuit is Circuit.OPEN
    assert stub.count == 5
    assert notes.outcomes == {Outcome.FAILED: 5, Outcome.SHED: 25}
    assert notes.reasons[Shed.CIRCUIT_OPEN] == 25


@pytest.mark.asyncio
async def test_a_prompt_that_is_refused_says_nothing_of_the_deployment() -> None:
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        for number in range(1, 31):
            mirror.offer(offer(target(stub, "context-length")))
            await notes.wait_for(number)
    assert notes.reasons == {Reason.CONTEXT_LENGTH_EXCEEDED: 30}


@pytest.mark.asyncio
async def test_an_endpoint_that_starts_is_woken_and_not_broken() -> None:
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        for number in range(1, 11):
            mirror.offer(offer(target(stub, "status-503")))
            await notes.wait_for(number)
        assert mirror.state.silent_models[0].circuit is Circuit.WAKING
    assert stub.count == 1
    assert notes.reasons == {Reason.UPSTREAM_UNAVAILABLE: 1, Shed.WAKING: 9}


@pytest.mark.asyncio
async def test_a_silent_model_that_asks_to_wait_is_waited_for() -> None:
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        for number in range(1, 4):
            mirror.offer(offer(target(stub, "status-429+retry-after-30")))
            await notes.wait_for(number)
    assert stub.count == 1
    assert notes.reasons == {Reason.UPSTREAM_RATE_LIMITED: 1, Shed.QUOTA: 2}


class Bucket:
    """An upstream whose replies all draw on one quota, and say what is left of it."""

    def __init__(self, total: int) -> None:
        self.total = self.left = total
        self.status = 200
        self.headers: Mapping[str, str] = {}

    @asynccontextmanager
    async def exchange(
        self, request: HttpRequest, deadline: float, silence: float | None = None
    ) -> AsyncGenerator[Exchange]:
        """Answer."""
        self.left -= 1
        self.headers = limits(str(self.left), str(self.total))
        yield self

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield a whole answer."""
        yield b'{"choices":[{"message":{"role":"assistant","content":"Hello."}}]}'

    def hurry(self) -> None:
        """Nothing to hurry."""


@pytest.mark.asyncio
async def test_mirrors_leave_the_last_fifth_of_a_shared_bucket() -> None:
    """M-26: the silent model's own replies tell."""
    notes, bucket = Notes(), Bucket(60)

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Upstream]:
        yield bucket

    async with mirroring(notes, upstream=opened) as mirror:
        goal = target(_ORIGIN)
        for number in range(1, 101):
            one = offer(goal)
            mirror.offer(one)
            mirror.settle(answered(one))
            await notes.wait_for(number)
    assert bucket.left == 11
    assert notes.reasons == {"": 49, Shed.QUOTA: 51}


@pytest.mark.asyncio
async def test_the_primarys_replies_close_the_mirror_of_a_shared_quota() -> None:
    """M-26: before the primary sees a refusal."""
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        goal = target(stub)
        mirror.note_headroom(goal.deployment, limits("10", "60"))
        mirror.offer(offer(goal))
        await notes.wait_for(1)
    assert (stub.count, notes.reasons) == (0, {Shed.QUOTA: 1})

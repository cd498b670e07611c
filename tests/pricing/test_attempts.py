"""What one upstream call cost, whichever way it ended."""

from functools import partial

import pytest
from msgspec import structs

from understudy.server.domain.chat import Message
from understudy.server.domain.completion import Choice, Completion, Delta
from understudy.server.domain.costs import (
    NOT_CHARGED,
    Cost,
    CostReason,
    CostStatus,
    PerHour,
    PerSecond,
    PerToken,
    PriceSource,
)
from understudy.server.errors import Reason
from understudy.server.pricing.attempts import cost_of_answer, cost_of_failure
from understudy.server.pricing.estimating import measure_answer, measure_piece

from .prices import NOW, priced, rates, usage

PRICE = priced(PerToken(rates(1, 2)))
SECOND = 1_000_000


def ten() -> int:
    """A prompt of about ten tokens."""
    return 10


def never() -> int:
    """Nobody needs to know."""
    raise AssertionError


def answer(text: str = "12345678") -> Completion:
    """An answer without usage."""
    return Completion((Choice(0, Message("assistant", content=text), "stop"),))


failed = partial(cost_of_failure, count_prompt=ten, price=PRICE, at=NOW, latency=SECOND)


def test_usage_is_charged_and_nothing_is_estimated() -> None:
    told = structs.replace(answer(), usage=usage(100, 10))

    assert cost_of_answer(told, never, PRICE, NOW, 0) == Cost(
        120_000, CostStatus.EXACT, None, "test"
    )


def test_without_usage_the_words_are_counted() -> None:
    assert cost_of_answer(answer(), ten, PRICE, NOW, 0) == Cost(
        14_000, CostStatus.ESTIMATED, CostReason.NO_USAGE, "test"
    )


def test_without_a_price_nothing_is_counted() -> None:
    assert cost_of_answer(answer(), never, None, NOW, 0).reason is CostReason.NO_PRICE


def test_what_the_provider_takes_counts_before_a_published_price() -> None:
    told = structs.replace(answer(), usage=usage(1, 1), provider_cost_nano_usd=5)
    published = priced(PerToken(rates(1, 2)), PriceSource.CATALOGUE)

    assert cost_of_answer(told, never, published, NOW, 0).nano_usd == 5
    assert cost_of_answer(told, never, PRICE, NOW, 0).nano_usd == 3_000


@pytest.mark.parametrize("status", [301, 400, 401, 429, 500, 503, 504])
def test_an_error_status_is_not_charged(status: int) -> None:
    assert failed(Reason.UPSTREAM_BAD_STATUS, status, received=None) is NOT_CHARGED


@pytest.mark.parametrize("reason", [Reason.UPSTREAM_CONNECT_FAILED, Reason.UPSTREAM_DNS_FAILURE])
def test_what_never_left_is_not_charged(reason: Reason) -> None:
    assert failed(reason, 0, received=0) is NOT_CHARGED


def test_a_refusal_with_a_status_of_success_is_not_charged_unless_words_came() -> None:
    refused = partial(failed, Reason.UPSTREAM_RATE_LIMITED, 200)

    assert refused(received=None) is refused(received=0) is NOT_CHARGED
    assert refused(received=4).nano_usd == 12_000


@pytest.mark.parametrize(
    "reason",
    [Reason.CANCELLED, Reason.UPSTREAM_READ_TIMEOUT, Reason.UPSTREAM_STREAM_TRUNCATED, "STOPPING"],
)
def test_what_was_cut_is_charged_for_what_came_and_unknown_where_that_is(reason: str) -> None:
    assert failed(reason, 200, received=8) == Cost(
        14_000, CostStatus.ESTIMATED, CostReason.NO_USAGE, "test"
    )
    for cost in (failed(reason, 200, received=None), failed(reason, 0, received=0)):
        assert cost == Cost(None, CostStatus.UNKNOWN, CostReason.NO_USAGE, "test")


def test_time_that_went_is_paid_and_rent_is_nobodys_call() -> None:
    by_second = failed(
        Reason.UPSTREAM_READ_TIMEOUT, 0, received=None, price=priced(PerSecond(10**18))
    )
    by_hour = failed(Reason.CANCELLED, 0, received=None, price=priced(PerHour(10**18)))

    assert (by_second.nano_usd, by_second.reason) == (10**9, CostReason.TIMED)
    assert (by_hour.nano_usd, by_hour.reason) == (None, CostReason.HOURLY)


@pytest.mark.parametrize("text", ["hello", "héllo", "日本語", "a\ud800", ""])
def test_pieces_measure_as_much_as_the_whole(text: str) -> None:
    whole = answer(text)
    pieces = [Delta((Choice(0, Message("assistant", content=one)),)) for one in text]

    assert sum(map(measure_piece, pieces)) == measure_answer(whole)

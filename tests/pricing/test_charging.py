"""What a call cost: every kind of token, one rounding, and a reason for what nobody knows."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.domain.completion import Usage
from understudy.server.domain.costs import (
    DEAREST,
    NANO,
    Cost,
    CostReason,
    CostStatus,
    PerHour,
    Period,
    PerSecond,
    PerToken,
    Price,
    PriceSource,
    Rates,
    to_nano,
)
from understudy.server.pricing.charging import cost_of

from .prices import NOW, USD_PER_MILLION, instant, priced, rates, usage

COUNT = st.integers(0, 2**31 - 1)
RATE = st.integers(0, DEAREST)


def test_a_fraction_of_a_nano_dollar_for_each_token_is_rounded_once() -> None:
    price = priced(PerToken(rates(0.0375, 0)))  # 37.5 nano-USD a token

    costs = [cost_of(Usage(n, 0, n), price, NOW).nano_usd for n in (1, 2, 3, 1_000)]

    assert costs == [38, 75, 112, 37_500]


@pytest.mark.parametrize(
    ("atto", "nano"),
    [(499_999_999, 0), (500_000_000, 0), (500_000_001, 1), (1_500_000_000, 2), (2_500_000_000, 2)],
)
def test_halves_go_to_the_even_side(atto: int, nano: int) -> None:
    assert to_nano(atto) == nano


@given(st.integers(0, 10**30), st.integers(1, 10**9))
def test_rounding_is_that_of_fractions(atto: int, parts: int) -> None:
    assert to_nano(atto, parts) == round(Fraction(atto, NANO * parts))


def test_each_kind_of_token_has_its_rate() -> None:
    each = Rates(
        input=2, output=3, cached_input=5, cache_creation=7, input_audio=11, reasoning=13,
        output_audio=17, call=19,
    )  # fmt: skip
    price = priced(PerToken(Rates(**{name: getattr(each, name) * NANO for name in each.__slots__})))

    cost = cost_of(
        usage(100, 100, cached=10, created=20, audio=30, reasoning=40, said=50), price, NOW
    )

    parts = 40 * 2 + 10 * 5 + 20 * 7 + 30 * 11 + 10 * 3 + 40 * 13 + 50 * 17 + 19
    assert cost == Cost(parts, CostStatus.EXACT, None, "test")


def test_a_kind_without_a_rate_costs_what_its_side_does() -> None:
    price = priced(PerToken(rates(2, 8)))

    whole = cost_of(usage(100, 100), price, NOW)

    assert cost_of(usage(100, 100, cached=50, reasoning=60), price, NOW) == whole


def test_thoughts_that_are_counted_in_the_total_alone_are_charged() -> None:
    price = priced(PerToken(rates(1, 10)))
    within = usage(100, 300, reasoning=200)
    beside = usage(100, 100, reasoning=200, total=400)
    untold = Usage(100, 100, 400)

    assert (
        cost_of(within, price, NOW)
        == cost_of(beside, price, NOW)
        == cost_of(untold, price, NOW)
        == Cost(3_100_000, CostStatus.EXACT, None, "test")
    )


def test_beyond_a_threshold_other_rates_hold_for_the_whole_call() -> None:
    price = priced(PerToken(rates(3, 15), ((200, rates(6, 22.5)), (400, rates(9, 30)))))

    costs = [cost_of(Usage(n, 10, n + 10), price, NOW).nano_usd for n in (200, 201, 400, 401)]

    assert costs == [750_000, 1_431_000, 2_625_000, 3_909_000]


def test_the_price_is_the_one_that_held_at_the_time() -> None:
    history = (
        Period(0, ((0, PerToken(rates(10, 10))),)),
        Period(instant("2026-03-01"), ((0, PerToken(rates(2, 2))),)),
    )
    price = Price(PriceSource.PRICE_FILE, "test", history)
    call = Usage(1, 0, 1)

    before = cost_of(call, price, instant("2026-02-28T23:59:59"))
    after = cost_of(call, price, instant("2026-03-01"))

    assert (before.nano_usd, after.nano_usd) == (10_000, 2_000)


def test_a_price_that_begins_later_is_not_known_before() -> None:
    later = (Period(instant("2026-03-01"), ((0, PerToken(rates(2, 2))),)),)
    price = Price(PriceSource.PRICE_FILE, "test", later)

    cost = cost_of(Usage(1, 0, 1), price, instant("2026-02-28"))

    assert cost == Cost(None, CostStatus.UNKNOWN, CostReason.NOT_YET_PRICED, "test")


def test_nights_may_be_cheaper() -> None:
    day = ((0, PerToken(rates(1, 1))), (28_800, PerToken(rates(2, 2))))
    price = Price(PriceSource.CATALOGUE, "test", (Period(0, day),))
    call = Usage(1, 0, 1)

    costs = [cost_of(call, price, instant(f"2026-03-01T{at}")) for at in ("07:59:59", "08:00:00")]

    assert [one.nano_usd for one in costs] == [1_000, 2_000]


def test_a_service_tier_has_its_price_and_an_unknown_one_the_usual() -> None:
    usual, dear = PerToken(rates(1, 1)), PerToken(rates(2, 2))
    price = Price(
        PriceSource.CATALOGUE,
        "test",
        (Period(0, ((0, usual),)),),
        {"priority": (Period(0, ((0, dear),)),)},
    )

    costs = [
        cost_of(Usage(1, 0, 1), price, NOW, service_tier=tier).nano_usd
        for tier in ("", "priority", "default", "scale")
    ]

    assert costs == [1_000, 2_000, 1_000, 1_000]


@pytest.mark.parametrize(
    ("source", "provider_counts"),
    [
        (PriceSource.PRICE_FILE, False),
        (PriceSource.DEPLOYMENT, False),
        (PriceSource.CATALOGUE, True),
    ],
)
def test_the_provider_s_word_counts_after_the_operator_s(
    source: PriceSource, provider_counts: bool
) -> None:
    price = priced(PerToken(rates(1, 1)), source)

    cost = cost_of(Usage(1, 0, 1), price, NOW, provider_cost=7)

    assert cost.nano_usd == (7 if provider_counts else 1_000)
    assert cost.price_version == ("provider" if provider_counts else "test")


def test_the_provider_s_word_needs_neither_price_nor_usage() -> None:
    assert cost_of(None, None, NOW, provider_cost=0) == Cost(0, CostStatus.EXACT, None, "provider")


def test_what_is_unknown_is_nothing_rather_than_zero() -> None:
    price = priced(PerToken(rates(1, 1)))

    assert cost_of(Usage(1, 1, 2), None, NOW) == Cost(None, CostStatus.UNKNOWN, CostReason.NO_PRICE)
    assert cost_of(None, price, NOW) == Cost(None, CostStatus.UNKNOWN, CostReason.NO_USAGE, "test")


def test_an_estimate_stands_in_for_usage_and_is_marked() -> None:
    price = priced(PerToken(rates(1, 1)))

    assert cost_of(None, price, NOW, estimate=Usage(2, 1, 3)) == Cost(
        3_000, CostStatus.ESTIMATED, CostReason.NO_USAGE, "test"
    )
    assert cost_of(Usage(1, 1, 2), price, NOW, estimate=Usage(9, 9, 18)).nano_usd == 2_000


def test_seconds_are_ours_and_so_the_cost_is_an_estimate() -> None:
    price = priced(PerSecond(420_000 * NANO))  # 0.00042 USD

    assert cost_of(None, price, NOW, 2_500_000) == Cost(
        1_050_000, CostStatus.ESTIMATED, CostReason.TIMED, "test"
    )
    assert cost_of(None, price, NOW).nano_usd is None


def test_a_rented_endpoint_s_calls_have_no_cost_of_their_own() -> None:
    rent = PerHour(3_600_000_000 * NANO)

    assert cost_of(Usage(1, 1, 2), priced(rent), NOW) == Cost(
        None, CostStatus.UNKNOWN, CostReason.HOURLY, "test"
    )
    assert rent.nano_usd == 3_600_000_000


@pytest.mark.parametrize(
    "hostile",
    [
        Usage(-1, 1, 0),
        Usage(1, -1, 0),
        usage(10, 10, cached=11),
        usage(10, 10, cached=-5),
        usage(10, 10, cached=6, created=6),
        usage(10, 10, cached=20, created=-15),
        usage(10, 10, audio=-1),
        usage(10, 10, reasoning=11),
        usage(10, 10, reasoning=-1),
        usage(10, 10, reasoning=20, said=-15),
        usage(10, 10, said=11),
        Usage(2**62, 2**62, 2**63),
    ],
)
def test_a_count_that_cannot_be_makes_no_cost(hostile: Usage) -> None:
    price = priced(PerToken(rates(5, 5)))

    cost = cost_of(hostile, price, NOW)

    assert (cost.nano_usd, cost.reason) == (None, CostReason.BAD_USAGE)


def test_what_does_not_fit_the_store_makes_no_cost() -> None:
    assert cost_of(None, None, NOW, provider_cost=2**63).nano_usd is None
    assert cost_of(None, None, NOW, provider_cost=-1).nano_usd is None


@given(COUNT, COUNT, RATE, RATE)
def test_the_largest_counts_at_the_dearest_rates_fit_the_store(
    prompt: int, answer: int, dear: int, dearer: int
) -> None:
    price = priced(PerToken(Rates.of(dear, dearer)))

    cost = cost_of(Usage(prompt, answer, prompt + answer), price, NOW).nano_usd

    assert cost == round(Fraction(prompt * dear + answer * dearer, NANO))
    assert cost is not None
    assert cost < 2**63


@given(COUNT, COUNT, COUNT, COUNT, st.integers(-5, 2**31), st.integers(-5, 2**31))
def test_no_count_makes_a_negative_cost_or_an_exception(
    prompt: int, answer: int, total: int, cached: int, reasoning: int, said: int
) -> None:
    price = priced(PerToken(Rates.of(USD_PER_MILLION, 3 * USD_PER_MILLION, cached_input=1)))

    cost = cost_of(
        usage(prompt, answer, cached=cached, reasoning=reasoning, said=said, total=total),
        price,
        NOW,
    )

    assert cost.nano_usd is None or cost.nano_usd >= 0

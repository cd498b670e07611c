"""What a call can cost at most: no answer within its bounds costs more."""

from hypothesis import given
from hypothesis import strategies as st

from understudy.server.domain.costs import (
    NANO,
    PerHour,
    Period,
    PerSecond,
    PerToken,
    Price,
    PriceSource,
    Rates,
)
from understudy.server.pricing.charging import cost_of
from understudy.server.pricing.reserving import TOKENS_PER_ATTACHMENT, reserve

from .prices import NOW, priced, rates, usage

RATE = st.integers(0, 10**14)
RATES = st.builds(
    Rates,
    input=RATE,
    output=RATE,
    cached_input=RATE,
    cache_creation=RATE,
    input_audio=RATE,
    reasoning=RATE,
    output_audio=RATE,
    call=RATE,
)


def tariff(base: Rates, above: dict[int, Rates]) -> PerToken:
    return PerToken(base, tuple(sorted(above.items(), key=lambda one: one[0])))


TOKENS = st.builds(
    tariff, base=RATES, above=st.dictionaries(st.integers(1, 5_000), RATES, max_size=3)
)


@given(TOKENS, TOKENS, st.data())
def test_no_answer_within_its_bounds_costs_more_than_was_reserved(
    usual: PerToken, other: PerToken, data: st.DataObject
) -> None:
    price = Price(
        PriceSource.CATALOGUE,
        "test",
        (Period(0, ((0, usual),)),),
        {"priority": (Period(0, ((0, other),)),)},
    )
    size, bound = data.draw(st.integers(0, 10_000)), data.draw(st.integers(0, 10_000))
    prompt, answer = data.draw(st.integers(0, size)), data.draw(st.integers(0, bound))
    cached = data.draw(st.integers(0, prompt))
    created = data.draw(st.integers(0, prompt - cached))
    reasoning = data.draw(st.integers(0, answer))

    reserved = reserve(price, NOW, prompt_bytes=size, max_tokens=bound)
    cost = cost_of(
        usage(prompt, answer, cached=cached, created=created, reasoning=reasoning),
        price,
        NOW,
        service_tier=data.draw(st.sampled_from(["", "priority"])),
    )

    assert reserved is not None
    assert cost.nano_usd is not None
    assert cost.nano_usd <= reserved


def test_each_choice_may_be_as_long_as_the_bound() -> None:
    price = priced(PerToken(rates(1, 10)))

    reserved = reserve(price, NOW, prompt_bytes=100, max_tokens=50, choices=128)

    assert reserved == 100_000 + 128 * 50 * 10_000


def test_the_model_s_own_bound_holds_where_the_request_sets_none_or_a_larger_one() -> None:
    bounded = Price(
        PriceSource.CATALOGUE, "test", priced(PerToken(rates(1, 1))).periods, max_output=10
    )

    found = [reserve(bounded, NOW, prompt_bytes=0, max_tokens=n) for n in (None, 10**9, 5)]

    assert found == [10_000, 10_000, 5_000]


def test_what_nothing_bounds_is_not_known() -> None:
    price = priced(PerToken(rates(1, 1)))

    assert reserve(None, NOW, prompt_bytes=1, max_tokens=1) is None
    assert reserve(price, NOW, prompt_bytes=1, max_tokens=None) is None
    assert reserve(priced(PerSecond(NANO)), NOW, prompt_bytes=1, max_tokens=1) is None


def test_a_price_that_begins_later_bounds_nothing() -> None:
    later = Price(PriceSource.PRICE_FILE, "t", (Period(NOW + 1, ((0, PerToken(rates(1, 1))),)),))

    assert reserve(later, NOW, prompt_bytes=1, max_tokens=1) is None


def test_free_answers_need_no_bound() -> None:
    assert reserve(priced(PerToken(rates(0, 0))), NOW, prompt_bytes=99, max_tokens=None) == 0


def test_time_is_bounded_by_the_deadline() -> None:
    price = priced(PerSecond(NANO + 1))

    assert reserve(price, NOW, prompt_bytes=0, max_tokens=None, timeout=60_000_000) == 61


def test_a_rented_endpoint_costs_nothing_more_for_being_asked() -> None:
    price = priced(PerHour(3_600 * 10**18))

    assert reserve(price, NOW, prompt_bytes=10**9, max_tokens=None) == 0


def test_a_picture_is_reserved_for_beyond_its_address() -> None:
    price = priced(PerToken(rates(1, 1)))

    reserved = reserve(price, NOW, prompt_bytes=0, max_tokens=0, attachments=2)

    assert reserved == 2 * TOKENS_PER_ATTACHMENT * 1_000


def test_a_fraction_of_a_nano_dollar_is_reserved_whole() -> None:
    price = priced(PerToken(rates(0.0375, 0)))

    assert reserve(price, NOW, prompt_bytes=1, max_tokens=0) == 38
    assert reserve(price, NOW, prompt_bytes=3, max_tokens=0) == 113

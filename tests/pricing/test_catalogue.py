"""Published prices: the figures that were measured, the library as an oracle, and no guessing."""

import sys
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from subprocess import run
from time import process_time

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices import calc_price
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.server.domain.completion import Usage
from understudy.server.domain.costs import CostStatus
from understudy.server.pricing.catalogue import PUBLISHED
from understudy.server.pricing.charging import cost_of
from understudy.server.pricing.conversion import convert

from .prices import NOW, instant, usage

MILLION = 1_000_000
NOT_PAID_BY_TOKENS = ("elevenlabs", "openai-decisions", "typesafe", "voyageai")
AT = instant("2026-11-01")


@pytest.mark.parametrize(
    ("provider", "model", "nano_usd"),
    [
        ("openai", "gpt-4o", 3_500_000),
        ("openai", "gpt-4o-mini", 210_000),
        ("anthropic", "claude-sonnet-4-5", 4_500_000),
        ("gemini", "gemini-2.5-flash", 550_000),
        ("openai", "o3", 2_800_000),
        ("azure", "gpt-4o", 3_500_000),
        ("openai", "gpt-4o-2024-08-06", 3_500_000),
        ("openai", "GPT-4O", 3_500_000),
        ("anthropic", "claude-sonnet-4-5-20250929", 4_500_000),
    ],
)
def test_a_thousand_tokens_in_and_a_hundred_out_cost_what_was_measured(
    provider: str, model: str, nano_usd: int
) -> None:
    cost = cost_of(Usage(1_000, 100, 1_100), PUBLISHED.find(provider, model), AT)

    assert (cost.nano_usd, cost.status) == (nano_usd, CostStatus.EXACT)
    assert cost.price_version.startswith("genai-prices 0.")


def test_a_price_is_that_of_the_day() -> None:
    price = PUBLISHED.find("openai", "o3")

    cost = cost_of(Usage(1_000, 100, 1_100), price, instant("2025-05-01"))

    assert cost.nano_usd == 14_000_000


def test_cached_tokens_are_cheaper() -> None:
    cost = cost_of(usage(1_000, 100, cached=600), PUBLISHED.find("openai", "gpt-4o"), AT)

    assert cost.nano_usd == 2_750_000


def test_a_long_context_is_dearer() -> None:
    price = PUBLISHED.find("anthropic", "claude-sonnet-4-5")

    cost = cost_of(Usage(MILLION, MILLION, 2 * MILLION), price, AT)

    assert cost.nano_usd == 28_500_000_000


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-4o-foo"),
        ("openai", " gpt-4o"),
        ("openai", "gpt-4o "),
        ("openai", "gpt-99"),
        ("openai", ""),
        ("azure", "chatgpt-v-2"),
        ("azure", "my-gpt-4o"),
        ("anthropic", "claude-sonnet-4-5-but-better"),
        ("anthropic", "claude-haiku-4-51"),
        ("deepseek", "deepseek-chat-of-another-kind"),
        ("gemini", "gemini-2.5-flash-evil"),
        ("huggingface", "meta-llama/Llama-3.3-70B-Instruct"),
        ("huggingface", "meta-llama/Llama-3.3-70B-Instruct:nobody"),
        ("openai_like", "gpt-4o"),
        ("simulated", "gpt-4o"),
        ("litellm", "openai/gpt-4o"),
        ("", "gpt-4o"),
    ],
)
def test_a_model_that_is_not_in_the_list_has_no_price_though_it_sounds_like_one(
    provider: str, model: str
) -> None:
    assert PUBLISHED.find(provider, model) is None


def test_what_hugging_face_passes_on_has_the_price_of_whom_it_is_passed_to() -> None:
    assert PUBLISHED.find("huggingface", "deepseek-ai/DeepSeek-V3-0324:novita") is not None


@pytest.mark.parametrize("name", [one.id for one in get_snapshot().providers])
def test_every_price_of_the_list_comes_to_what_the_library_says(name: str) -> None:
    provider = next(one for one in get_snapshot().providers if one.id == name)
    cases = [
        (1, 0, 0, 0),
        (123_457, 1_003, 45_678, 0),
        (300_001, 77, 0, 200_003),
    ]
    moments = [datetime(2025, 1, 1, 3, tzinfo=UTC), datetime(2026, 11, 19, 17, 1, tzinfo=UTC)]
    compared = 0
    for model in provider.models:
        price = convert(model, "test")
        if price is None:
            continue
        for prompt, answer, cached, created in cases:
            for moment in moments:
                theirs = model.calc_price(
                    TheirUsage(
                        input_tokens=prompt,
                        output_tokens=answer,
                        cache_read_tokens=cached,
                        cache_write_tokens=created,
                    ),
                    provider,
                    genai_request_timestamp=moment,
                ).total_price
                ours = cost_of(
                    usage(prompt, answer, cached=cached, created=created),
                    price,
                    int(moment.timestamp()) * 1_000_000,
                )
                expected = (theirs * 10**9).to_integral_value(ROUND_HALF_EVEN)
                assert ours.nano_usd == expected, (model.id, prompt, moment)
                compared += 1
    assert compared or name in NOT_PAID_BY_TOKENS


@settings(max_examples=150)
@given(
    st.sampled_from(["gpt-4o", "gpt-4o-mini", "o3", "gpt-5"]),
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**31 - 1),
    st.integers(0, 3_000),
    st.sampled_from(["", "flex", "priority"]),
)
def test_every_usage_comes_to_what_the_library_says(
    model: str, prompt: int, answer: int, day: int, tier: str
) -> None:
    moment = datetime(2024, 1, 1, 12, tzinfo=UTC) + timedelta(days=day)

    theirs = calc_price(
        TheirUsage(input_tokens=prompt, output_tokens=answer),
        model,
        provider_id="openai",
        genai_request_timestamp=moment,
        price_context={"service_tier": tier} if tier else None,
    ).total_price
    ours = cost_of(
        Usage(prompt, answer, prompt + answer),
        PUBLISHED.find("openai", model),
        int(moment.timestamp()) * 1_000_000,
        service_tier=tier,
    )

    assert ours.nano_usd == (theirs * Decimal(10**9)).to_integral_value(ROUND_HALF_EVEN)


def test_deepseek_s_hours_are_kept() -> None:
    price = PUBLISHED.find("deepseek", "deepseek-chat")
    call = Usage(MILLION, 0, MILLION)

    costs = {
        cost_of(call, price, instant(f"2026-11-01T{at}")).nano_usd for at in ("12:00", "20:00")
    }

    assert len(costs) == 2


def test_the_list_is_not_imported_before_it_is_asked_and_nothing_is_fetched() -> None:
    program = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise AssertionError('network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from understudy.server.pricing.catalogue import PUBLISHED\n"
        "assert 'genai_prices' not in sys.modules\n"
        "assert PUBLISHED.find('openai', 'gpt-4o')\n"
        "import threading; assert threading.active_count() == 1\n"
    )

    assert run([sys.executable, "-W", "error", "-c", program], check=False).returncode == 0


def test_a_call_is_charged_in_microseconds() -> None:
    call = usage(1_000, 100, cached=600, reasoning=10)

    def measure() -> float:
        began = process_time()
        for _ in range(2_000):
            cost_of(call, PUBLISHED.find("openai", "gpt-4o"), NOW)
        return (process_time() - began) / 2_000

    assert min(measure() for _ in range(10)) <= 5e-6

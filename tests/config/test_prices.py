"""What deployments cost, as the file says it: LiteLLM's keys, rents, published lists."""

import pytest

from understudy.server.config import Standing
from understudy.server.domain.completion import (
    CompletionTokensDetails,
    PromptTokensDetails,
    Usage,
)
from understudy.server.domain.costs import Cost, CostReason, CostStatus, PriceSource
from understudy.server.errors import ConfigError
from understudy.server.pricing.charging import cost_of

from .costing import AT, OPENAI, OTHER, config, cost, told
from .reading import deployments, read


def test_a_published_price_is_found_by_provider_and_model() -> None:
    found = config(OPENAI)

    assert cost(found).nano_usd == 3_500_000
    assert told(found).startswith("$2.5 in, $10 out a million tokens (genai-prices ")


def test_azure_s_deployments_cost_what_their_base_model_does() -> None:
    azure = "model: azure/chatgpt-v-2, api_base: https://x.openai.azure.com, api_key: k"

    assert told(config(azure)) == "no price: none is published for azure/chatgpt-v-2"
    assert cost(config(azure, info="base_model: azure/gpt-4o")).nano_usd == 3_500_000
    assert cost(config(azure, info="base_model: gpt-4o")).nano_usd == 3_500_000


def test_a_name_behind_another_host_may_be_any_model() -> None:
    own = "model: openai/gpt-4o, api_base: http://127.0.0.1:1/v1, api_key: k"

    assert cost(config(own)).reason is CostReason.NO_PRICE
    assert told(config(own)).startswith("no price: the host is not openai's own; write base_model")
    assert cost(config(own, info="base_model: openai/gpt-4o")).nano_usd == 3_500_000


def test_a_simulated_model_costs_nothing_unless_its_operator_says_so() -> None:
    free = config("model: simulated/m")
    dear = config("model: simulated/m, input_cost_per_token: 1e-6, output_cost_per_token: 0")

    assert cost(free) == Cost(0, CostStatus.EXACT, None, "simulated")
    assert told(free) == "nothing: it is simulated"
    assert cost(dear).nano_usd == 1_000_000


def test_what_stands_beside_the_deployment_counts_before_what_is_published() -> None:
    found = config(f"{OPENAI}, input_cost_per_token: 1.5e-7, output_cost_per_token: '0.0000006'")

    assert cost(found) == Cost(210_000, CostStatus.EXACT, None, "configuration")
    assert deployments(found)[0].price is not None
    assert told(found) == "$0.15 in, $0.6 out a million tokens (configuration)"


def test_prices_may_stand_in_model_info() -> None:
    found = config(
        f"{OPENAI}, input_cost_per_token: 1e-6",
        info="input_cost_per_token: 9, output_cost_per_token: 1e-6, max_output_tokens: 4096",
    )

    price = deployments(found)[0].price
    assert price is not None
    assert (price.source, price.max_output) == (PriceSource.DEPLOYMENT, 4096)
    assert cost(found).nano_usd == 1_100_000


def test_every_kind_of_token_and_every_threshold_is_read() -> None:
    found = config(
        f"{OTHER}, input_cost_per_token: 1e-6, output_cost_per_token: 2e-6, "
        "cache_read_input_token_cost: 3e-6, cache_creation_input_token_cost: 4e-6, "
        "output_cost_per_reasoning_token: 5e-6, input_cost_per_audio_token: 6e-6, "
        "output_cost_per_audio_token: 7e-6, input_cost_per_token_above_128k_tokens: 1e-5, "
        "output_cost_per_token_above_200k_tokens: 2e-5, input_cost_per_token_priority: 8e-6"
    )
    usage = Usage(10, 10, 20, PromptTokensDetails(1, 2, 3), CompletionTokensDetails(4, 5))

    amounts = [
        cost(found, one).nano_usd
        for one in (
            usage,
            Usage(128_000, 1, 128_001),
            Usage(128_001, 1, 128_002),
            Usage(200_001, 1, 200_002),
        )
    ]
    assert amounts == [
        1_000 * (4 * 1 + 1 * 3 + 2 * 6 + 3 * 4 + 1 * 2 + 4 * 5 + 5 * 7),
        128_000_000 + 2_000,
        1_280_010_000 + 2_000,
        2_000_010_000 + 20_000,
    ]
    price = deployments(found)[0].price
    assert cost_of(Usage(1, 1, 2), price, AT, service_tier="priority").nano_usd == 10_000


@pytest.mark.parametrize(
    "keys",
    [
        "cost_per_second: 0.00042",
        "cost_per_second: 0.00042, input_cost_per_second: 1, output_cost_per_second: 1",
        "input_cost_per_second: 0.00042, output_cost_per_second: 1",
        "output_cost_per_second: 0.00042",
    ],
)
def test_a_second_has_one_rate_whatever_it_is_called(keys: str) -> None:
    assert cost(config(f"{OTHER}, {keys}")).nano_usd == 840_000


def test_tokens_count_before_seconds() -> None:
    keys = "input_cost_per_token: 1e-6, output_cost_per_token: 1e-6, cost_per_second: 1"

    assert cost(config(f"{OTHER}, {keys}")).nano_usd == 1_100_000


def test_a_rent_is_by_the_hour() -> None:
    found = config(OTHER, info="usd_per_hour: 3.6")

    assert cost(found).reason is CostReason.HOURLY
    assert told(found) == "$3.6 an hour (configuration)"


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ("input_cost_per_token: 1e-6", "output_cost_per_token is missing"),
        ("output_cost_per_token: 1e-6", "input_cost_per_token is missing"),
        (
            "usd_per_hour: 1, input_cost_per_token: 1e-6",
            "either usd_per_hour or a cost per token, not both",
        ),
    ],
)
def test_half_a_price_is_none_and_says_so(keys: str, why: str) -> None:
    found = config(f"{OPENAI}, {keys}")

    assert deployments(found)[0].price is None
    assert told(found) == f"no price: {why}"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("-1", "must not be negative (is -1)"),
        ("cheap", "must be a number (is 'cheap')"),
        (".nan", "must be finite (is nan)"),
        (
            "2.5",
            "is in dollars for a single token; 2.5 for a million of them is 0.0000025 (is 2.5)",
        ),
        ("true", "must be a number (is true)"),
    ],
)
def test_a_price_that_cannot_be_is_a_fault(value: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(f"{OPENAI}, input_cost_per_token: {value}, output_cost_per_token: 0")

    (fault,) = caught.value.faults
    assert fault == f"config.yaml:1: model_list[0].litellm_params.input_cost_per_token: {why}"


@pytest.mark.parametrize(
    ("key", "standing"),
    [
        ("litellm_params: {input_cost_per_token: 0}", Standing.HONOURED),
        ("litellm_params: {cache_read_input_token_cost: 0}", Standing.HONOURED),
        (
            "litellm_params: {cache_creation_input_token_cost_above_200k_tokens: 0}",
            Standing.HONOURED,
        ),
        ("litellm_params: {output_cost_per_reasoning_token: 0}", Standing.HONOURED),
        ("litellm_params: {cost_per_second: 0}", Standing.HONOURED),
        ("litellm_params: {usd_per_hour: 0}", Standing.HONOURED),
        ("litellm_params: {input_cost_per_image: 0}", Standing.IGNORED),
        ("litellm_params: {input_cost_per_token_batches: 0}", Standing.IGNORED),
        ("litellm_params: {cache_creation_input_token_cost_above_1hr: 0}", Standing.IGNORED),
        ("model_info: {output_cost_per_token: 0}", Standing.HONOURED),
        ("model_info: {output_cost_per_image: 0}", Standing.IGNORED),
    ],
)
def test_keys_that_are_prices_of_chats_are_honoured_and_never_sent(
    key: str, standing: Standing
) -> None:
    found = read(f"model_list: [{{model_name: g, {key}}}]")

    assert (
        next(one.standing for one in found.report.keys if "cost" in one.name or "usd" in one.name)
        is standing
    )
    assert deployments(found)[0].defaults == {}

"""The operator's own list of prices, and LiteLLM's map of models."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.server.config import load, parse
from understudy.server.domain.completion import (
    PromptTokensDetails,
    Usage,
)
from understudy.server.domain.costs import Cost, CostStatus, PriceSource
from understudy.server.errors import ConfigError

from .costing import EARLIER, OPENAI, OTHER, config, cost, faults_of, told
from .reading import deployments, read

LIST = """
version: "2026-11"
prices:
  - {model: "openai/*", input: 7, output: 7}
  - {model: openai/gpt-4o, input: 1, output: 2, cached_input: 0.1, effective_from: 2026-01-01,
     above: {2000: {input: 10}}}
  - {model: openai/gpt-4o, input: 3, output: 4, max_output_tokens: 16384}
  - {group: by-group, input: 5, output: 5}
  - {deployment: by-id, usd_per_second: 0.5}
"""


def test_the_operator_s_list_counts_before_all_else() -> None:
    found = config(f"{OPENAI}, input_cost_per_token: 1, output_cost_per_token: 1", prices=LIST)

    assert cost(found) == Cost(1_200_000, CostStatus.EXACT, None, "p.yaml 2026-11")
    assert told(found) == "$1 in, $2 out a million tokens (p.yaml 2026-11)"


def test_the_list_has_a_history_thresholds_and_cached_tokens() -> None:
    found = config(OPENAI, prices=LIST)

    price = deployments(found)[0].price
    assert price is not None
    assert price.max_output == 16384
    assert cost(found, at=EARLIER).nano_usd == 3_400_000
    assert cost(found, Usage(2_001, 0, 2_001)).nano_usd == 20_010_000
    assert cost(found, Usage(10, 0, 10, PromptTokensDetails(10))).nano_usd == 1_000


def test_the_closest_row_counts() -> None:
    text = f"""
    understudy: {{prices: {{file: p.yaml}}}}
    model_list:
      - {{model_name: by-group, litellm_params: {{{OPENAI}}}, model_info: {{id: by-id}}}}
      - {{model_name: by-group, litellm_params: {{{OPENAI}}}, model_info: {{id: a}}}}
      - {{model_name: g, litellm_params: {{model: openai/gpt-5, api_key: k}}, model_info: {{id: b}}}}
      - {{model_name: g, litellm_params: {{model: groq/x, api_key: k}}, model_info: {{id: c}}}}
    """

    found = parse(text, "config.yaml", {}, lambda name: LIST)

    assert {one.id: one.price.split(" (")[0] for one in found.report.deployments} == {
        "by-id": "$0.5 a second",
        "a": "$5 in, $5 out a million tokens",
        "b": "$7 in, $7 out a million tokens",
        "c": "no price: none is published for groq/x",
    }


def test_a_list_without_a_version_is_named_by_its_digest() -> None:
    versions = {
        cost(config(OPENAI, prices=f"prices: [{{group: g, input: {n}, output: 1}}]")).price_version
        for n in (1, 2)
    }

    assert len(versions) == 2
    assert all(one.startswith("p.yaml ") for one in versions)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[]", "p.yaml:1: must be a mapping (is a list)"),
        ("price: []", "p.yaml:1: price: there is no such key; did you mean 'prices'?"),
        (
            "prices: [{group: g, input: 1, ouput: 1, output: 2}]",
            "p.yaml:1: prices[0].ouput: there is no such key; did you mean 'output'?",
        ),
        (
            "prices: [{input: 1, output: 1}]",
            "p.yaml:1: prices[0]: needs one of deployment, group, model",
        ),
        (
            "prices: [{group: g, model: m, input: 1, output: 1}]",
            "p.yaml:1: prices[0]: needs one of deployment, group, model",
        ),
        (
            "prices: [{group: g, usd_per_hour: 1, input: 1, output: 1}]",
            "p.yaml:1: prices[0]: needs one way to pay: input and output, usd_per_second, usd_per_hour",
        ),
        ("prices: [{group: g, input: 1}]", "p.yaml:1: prices[0].output: is missing"),
        (
            "prices: [{group: g, input: -1, output: 1}]",
            "p.yaml:1: prices[0].input: must not be negative (is -1)",
        ),
        (
            "prices: [{group: g, input: 1, output: 1, effective_from: soon}]",
            "p.yaml:1: prices[0].effective_from: must be a date such as 2026-01-31 (is 'soon')",
        ),
        (
            "prices: [{group: g, input: 1, output: 1, above: {x: {input: 1}}}]",
            "p.yaml:1: prices[0].above.x: must be a number: it is a number of tokens",
        ),
        (
            "prices: [{group: g, input: 1, output: 1}, {group: g, usd_per_hour: 1}]",
            "p.yaml:1: prices[1].group: 'g' is there twice from the same day on",
        ),
    ],
)
def test_a_mistake_in_the_list_is_told_with_its_place(text: str, fault: str) -> None:
    assert faults_of(text) == [fault]


def test_a_list_that_is_not_there_is_a_fault() -> None:
    with pytest.raises(ConfigError) as caught:
        read("understudy: {prices: {file: lost.yaml}}")

    assert caught.value.faults == [
        "config.yaml:1: understudy.prices.file: cannot read 'lost.yaml': no such file"
    ]


MAP = """{
  "sample_spec": {"input_cost_per_token": 0, "litellm_provider": "one of these"},
  "gpt-4o": {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "max_tokens": 8,
             "max_output_tokens": 16, "litellm_provider": "openai", "mode": "chat",
             "supports_vision": true, "supported_regions": ["eu"]},
  "groq/x": {"cost_per_second": 0.5, "litellm_provider": "groq"},
  "mistral/bad": {"input_cost_per_token": -1, "output_cost_per_token": 1}
}"""


def test_litellm_s_map_of_models_is_read() -> None:
    openai = config(OPENAI, prices=MAP, file="map.json")
    groq = config("model: groq/x, api_key: k", prices=MAP, file="map.json")

    price = deployments(openai)[0].price
    assert price is not None
    assert (price.source, price.max_output) == (PriceSource.PRICE_FILE, 16)
    assert cost(openai).nano_usd == 1_200_000
    assert cost(openai).price_version.startswith("map.json ")
    assert cost(groq).nano_usd == 1_000_000_000


def test_an_entry_of_another_provider_is_not_taken() -> None:
    found = config("model: groq/gpt-4o, api_key: k", prices=MAP, file="map.json")

    assert told(found) == "no price: none is published for groq/gpt-4o"


def test_a_base_model_finds_its_entry() -> None:
    azure = "model: azure/mine, api_base: https://x.openai.azure.com, api_key: k"
    found = config(azure, info="base_model: gpt-4o", prices=MAP, file="map.json")

    assert cost(found).nano_usd == 1_200_000


def test_only_the_entries_that_are_needed_can_be_wrong() -> None:
    with pytest.raises(ConfigError) as caught:
        config("model: mistral/bad, api_key: k", prices=MAP, file="map.json")

    assert caught.value.faults == [
        "map.json:1: mistral/bad.input_cost_per_token: must not be negative (is -1)"
    ]


@pytest.mark.parametrize("text", ["[]", "{", "[" * 100_000, '{"a": \ud800}', "null"])
def test_what_is_no_map_of_models_is_a_fault(text: str) -> None:
    assert faults_of(text, "map.json") == ["map.json:1: is not a JSON object of models"]


def test_the_list_stands_beside_the_configuration_and_goes_where_it_goes(tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text("prices: [{group: g, input: 1, output: 1}]")
    (tmp_path / "config.yaml").write_text(
        f"understudy: {{prices: {{file: prices.yaml}}}}\n"
        f"model_list: [{{model_name: g, litellm_params: {{{OPENAI}}}}}]"
    )

    found = load(tmp_path / "config.yaml", {})
    again = parse(found.source.text, found.source.file, {}, found.source.included.__getitem__)

    assert cost(found).nano_usd == cost(again).nano_usd == 1_100_000


def test_a_map_may_be_larger_than_a_configuration(tmp_path: Path) -> None:
    entry = '"m-%d": {"input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06}'
    entries = ", ".join(entry % n for n in range(45_000))
    (tmp_path / "map.json").write_text(f"{{{entries}}}")
    (tmp_path / "config.yaml").write_text(
        "understudy: {prices: {file: map.json}}\n"
        f"model_list: [{{model_name: g, litellm_params: {{{OTHER}}}, "
        "model_info: {base_model: m-44999}}]"
    )

    assert (tmp_path / "map.json").stat().st_size > 3_000_000
    assert cost(load(tmp_path / "config.yaml", {})).nano_usd == 1_100_000


KEYS = st.sampled_from(
    [
        "version", "prices", "group", "deployment", "model", "input", "output", "above", "200000",
        "effective_from", "usd_per_hour", "usd_per_second", "usd_per_call", "max_output_tokens",
        "openai/gpt-4o", "gpt-4o", "litellm_provider", "input_cost_per_token",
        "output_cost_per_token", "input_cost_per_token_above_200k_tokens", "max_tokens",
    ]
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | KEYS
ANYTHING = st.recursive(
    LEAVES, lambda below: st.lists(below, max_size=4) | st.dictionaries(KEYS, below, max_size=6)
)


@settings(max_examples=200)
@given(ANYTHING, st.sampled_from(["p.yaml", "map.json"]))
def test_whatever_the_list_holds_it_is_read_or_refused(value: object, file: str) -> None:
    with suppress(ConfigError):
        found = config(OPENAI, prices=json.dumps(value), file=file)

        assert (cost(found).nano_usd or 0) >= 0

"""A caller's target becomes a model group, or an error that says what to do."""

import math
from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from understudy.server.domain.chat import ChatCall
from understudy.server.domain.deployment import ModelGroup
from understudy.server.domain.request import CompletionRequest, Target
from understudy.server.errors import Reason, RequestError
from understudy.server.routing.groups import draw_group, find_group
from understudy.server.routing.targets import choose_target

from .making import deployment, snapshot

LIVE = snapshot(
    deployment("one", group="gpt-4"),
    deployment("two", group="llama-2"),
    aliases={"best": "gpt-4"},
)


def asked(target: Target) -> CompletionRequest:
    return CompletionRequest(target, ChatCall((), {}), 60.0)


def _never(name: str) -> ModelGroup:
    raise AssertionError(f"{name} was asked for")


def test_a_group_goes_by_its_name_and_its_alias() -> None:
    assert find_group(LIVE, "gpt-4").name == "gpt-4"
    assert find_group(LIVE, "best").name == "gpt-4"


def test_an_unknown_name_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(RequestError, match="did you mean 'gpt-4'") as caught:
        find_group(LIVE, "gtp-4")

    assert caught.value.reason is Reason.MODEL_NOT_FOUND
    assert caught.value.metadata["model"] == "gtp-4"


def test_a_huge_name_is_not_repeated_whole() -> None:
    with pytest.raises(RequestError) as caught:
        find_group(LIVE, "x" * 1_000_000)

    assert len(caught.value.message) < 500


@pytest.mark.parametrize("name", ["gpt-4\r\nx: y", "gpt-4\x00", "gpt\u20284", "x" * 2049])
def test_what_is_no_name_is_not_looked_for(name: str) -> None:
    with pytest.raises(RequestError) as caught:
        find_group(replace(LIVE, named=_never), "h/https://" + name)

    assert caught.value.reason is Reason.INVALID_REQUEST


def test_a_name_with_a_url_means_a_group_of_its_own() -> None:
    url = "huggingface/https://a.test"
    ours = snapshot(deployment("three", group=url)).groups[url]

    def named(name: str) -> ModelGroup:
        return {url: ours}[name]

    live = replace(LIVE, named=named)

    assert find_group(live, url) is ours
    assert draw_group(live, {"gpt-4": 0.0, url: 0.2}, 0.5) is ours
    assert find_group(live, "gpt-4").name == "gpt-4"


def test_a_group_of_the_file_comes_before_its_name_is_read_as_a_url() -> None:
    url = "huggingface/https://a.test"
    live = snapshot(deployment("one", group=url))

    found = find_group(replace(live, named=_never), url)

    assert found is live.groups[url]


def test_where_nothing_may_be_named_a_url_is_an_unknown_name() -> None:
    with pytest.raises(RequestError, match="no model group") as caught:
        find_group(LIVE, "huggingface/https://a.test")

    assert caught.value.reason is Reason.MODEL_NOT_FOUND


def test_a_split_for_one_call_follows_its_weights() -> None:
    random = Random(7)
    drawn = Counter(
        choose_target(
            LIVE, asked(Target(models={"gpt-4": 8, "llama-2": 2})), random.random()
        ).variant
        for _ in range(10_000)
    )

    expected = {"gpt-4": 8000, "llama-2": 2000}
    chi2 = sum((drawn[name] - mean) ** 2 / mean for name, mean in expected.items())
    assert math.erfc(math.sqrt(chi2 / 2)) > 0.001  # p of chi-square with one degree of freedom


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf, -math.inf])
def test_a_weight_that_is_no_weight_is_refused(weight: float) -> None:
    with pytest.raises(RequestError) as caught:
        draw_group(LIVE, {"gpt-4": 1.0, "llama-2": weight}, 0.5)

    assert caught.value.field == "models['llama-2']"


def test_weights_that_sum_to_nothing_are_refused() -> None:
    with pytest.raises(RequestError, match="sum to 0"):
        draw_group(LIVE, {"gpt-4": 0.0}, 0.5)


def test_a_misspelt_name_in_a_split_fails_each_call() -> None:
    with pytest.raises(RequestError, match="gtp-4") as caught:
        draw_group(LIVE, {"gtp-4": 0.0001, "llama-2": 1.0}, 0.999)

    assert caught.value.field == "models['gtp-4']"


@pytest.mark.parametrize(
    "target",
    [
        Target(),
        Target(model="gpt-4", models={"gpt-4": 1.0}),
        Target(model="gpt-4", experiment="e"),
    ],
)
def test_a_target_names_exactly_one_thing(target: Target) -> None:
    with pytest.raises(RequestError, match="exactly one of") as caught:
        choose_target(LIVE, asked(target), 0.5)

    assert caught.value.reason is Reason.INVALID_REQUEST

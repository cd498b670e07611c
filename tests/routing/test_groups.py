"""A caller's target becomes a model group, or an error that says what to do."""

import math
from collections import Counter
from random import Random

import pytest

from understudy.server.domain.request import Target
from understudy.server.errors import Reason, RequestError
from understudy.server.routing.groups import draw_group, find_group
from understudy.server.routing.targets import choose_group

from .making import deployment, snapshot

LIVE = snapshot(
    deployment("one", group="gpt-4"),
    deployment("two", group="llama-2"),
    aliases={"best": "gpt-4"},
)


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


def test_a_split_for_one_call_follows_its_weights() -> None:
    random = Random(7)
    drawn = Counter(
        choose_group(LIVE, Target(models={"gpt-4": 8, "llama-2": 2}), random.random())[1]
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
    with pytest.raises(RequestError, match="gtp-4"):
        draw_group(LIVE, {"gtp-4": 0.0001, "llama-2": 1.0}, 0.999)


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
        choose_group(LIVE, target, 0.5)

    assert caught.value.reason is Reason.INVALID_REQUEST

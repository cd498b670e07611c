"""Who is asked first, and who next after a failure."""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from understudy.server.domain.deployment import Deployment, Snapshot
from understudy.server.errors import Reason, RefusedError
from understudy.server.providers.failures import classify
from understudy.server.routing.attempts import (
    Course,
    draw_deployment,
    first_course,
    is_replaceable,
    next_course,
)

from .making import deployment, snapshot

BUSY = Reason.UPSTREAM_UNAVAILABLE


def tour(live: Snapshot, reason: Reason, group: str = "group", ticket: float = 0.0) -> list[str]:
    """Return who is asked, in order, if everybody fails for the reason."""
    course: Course | None = first_course(live.groups[group])
    asked: list[str] = []
    while course is not None:
        one = draw_deployment(course, ticket)
        asked.append(one.id)
        course = next_course(live, course, one, reason)
    return asked


def test_a_retry_goes_to_a_deployment_not_yet_tried() -> None:
    assert tour(snapshot(deployment("a"), deployment("b")), BUSY) == ["a", "b"]


def test_a_lone_deployment_is_asked_again() -> None:
    assert tour(snapshot(deployment("a")), BUSY) == ["a", "a"]


def test_num_retries_bounds_the_attempts() -> None:
    live = snapshot(deployment("a"), deployment("b"), num_retries=3)

    assert tour(live, BUSY) == ["a", "b", "a", "b"]


def test_a_deployments_own_num_retries_comes_first() -> None:
    assert tour(snapshot(deployment("a", num_retries=0), num_retries=3), BUSY) == ["a"]


def test_what_may_be_retried_once_is_not_retried_twice() -> None:
    live = snapshot(deployment("a"), num_retries=5)

    assert tour(live, Reason.UPSTREAM_INTERNAL_ERROR) == ["a", "a"]


def test_the_callers_own_fault_is_not_retried() -> None:
    live = snapshot(deployment("a"), deployment("b", group="b"), fallbacks={"group": ("b",)})

    assert tour(live, Reason.UPSTREAM_REJECTED_REQUEST) == ["a"]


def test_lower_orders_come_first_and_higher_ones_after_a_failure() -> None:
    live = snapshot(deployment("c"), deployment("b", order=2), deployment("a", order=1))

    assert tour(live, Reason.UPSTREAM_CREDENTIALS_REJECTED) == ["a", "b", "c"]


def test_an_order_whose_weights_are_all_zero_is_passed_over() -> None:
    live = snapshot(deployment("a", 0, order=1), deployment("b", 1, order=2))

    assert tour(live, BUSY) == ["b", "b"]


def test_fallbacks_follow_when_the_group_is_spent() -> None:
    live = snapshot(
        deployment("a"),
        deployment("b", group="b"),
        deployment("c", group="c"),
        num_retries=0,
        fallbacks={"group": ("b", "c")},
    )

    assert tour(live, BUSY) == ["a", "b", "c"]


def test_a_default_fallback_serves_groups_without_one_of_their_own() -> None:
    live = snapshot(
        deployment("a"), deployment("b", group="b"), num_retries=0, fallbacks={"*": ("b",)}
    )

    assert tour(live, BUSY) == ["a", "b"]


def test_a_prompt_too_long_goes_to_the_larger_model() -> None:
    live = snapshot(
        deployment("a"),
        deployment("b", group="b"),
        deployment("large", group="large"),
        fallbacks={"group": ("b",)},
        context_window_fallbacks={"group": ("large",)},
    )

    assert tour(live, Reason.CONTEXT_LENGTH_EXCEEDED) == ["a", "large"]


@pytest.mark.parametrize("reason", [Reason.CONTEXT_LENGTH_EXCEEDED, Reason.CONTENT_POLICY_REJECTED])
@pytest.mark.parametrize("source", ["group", "*"])
def test_a_list_of_its_own_comes_before_the_next_order_and_any_retry(
    reason: Reason, source: str
) -> None:
    own, others = {source: ("own",)}, {source: ("other",)}
    is_length = reason is Reason.CONTEXT_LENGTH_EXCEEDED
    live = snapshot(
        deployment("a", order=1),
        deployment("b", order=2),
        deployment("own", group="own"),
        deployment("other", group="other"),
        num_retries=3,
        context_window_fallbacks=own if is_length else others,
        content_policy_fallbacks=others if is_length else own,
    )

    assert tour(live, reason)[:2] == ["a", "own"]
    assert tour(live, Reason.UPSTREAM_FORBIDDEN) == ["a", "b"]


def test_fallbacks_that_go_round_in_a_circle_end() -> None:
    live = snapshot(
        deployment("a", group="a"),
        deployment("b", group="b"),
        num_retries=0,
        fallbacks={"a": ("b",), "b": ("a",)},
    )

    assert tour(live, BUSY, "a") == ["a", "b"]


def test_a_full_deployment_gives_way_to_its_neighbour_without_costing_a_retry() -> None:
    live = snapshot(deployment("a"), deployment("b"), num_retries=0)

    assert tour(live, Reason.LOCAL_POOL_EXHAUSTED) == ["a", "b"]


def test_a_refusal_after_a_failure_leaves_the_failures_retry() -> None:
    """One whose circuit is open does not cost its neighbour the retry that it has."""
    live = snapshot(deployment("a"), deployment("b"))
    failed, refused = live.groups["group"].deployments

    course = next_course(live, first_course(live.groups["group"]), failed, BUSY)
    assert course is not None
    course = next_course(replace(live, num_retries=2), course, refused, Reason.CIRCUIT_OPEN)

    assert course is not None
    assert (course.retries, course.repeats, course.tried) == (2, True, frozenset())


def test_a_refusal_alone_is_not_repeated() -> None:
    assert tour(snapshot(deployment("a")), Reason.CIRCUIT_OPEN) == ["a"]


def test_without_a_retry_the_next_order_or_the_fallback_follows() -> None:
    live = snapshot(
        deployment("a"), deployment("b"), deployment("c", group="c"), fallbacks={"group": ("c",)}
    )
    course = first_course(live.groups["group"])

    following = next_course(
        live, course, live.groups["group"].deployments[0], BUSY, may_retry=False
    )

    assert following is not None
    assert following.group.name == "c"


def test_one_is_replaceable_where_another_of_its_tier_can_be_asked() -> None:
    def first_is_replaceable(*made: Deployment) -> bool:
        course = first_course(snapshot(*made).groups["group"])
        return is_replaceable(course, made[0])

    assert first_is_replaceable(deployment("a"), deployment("b"))
    assert not first_is_replaceable(deployment("a"))
    assert not first_is_replaceable(deployment("a", 1), deployment("b", 0))
    assert not first_is_replaceable(deployment("a"), deployment("b", unusable="no key"))
    assert not first_is_replaceable(deployment("a", order=1), deployment("b", order=2))


def test_only_some_statuses_are_asked_again() -> None:
    """T-3; 498 is Groq's word for a queue that is full."""
    live = snapshot(deployment("a"), num_retries=1)

    again = {
        status
        for status in range(100, 600)
        if tour(live, classify(status, {}).reason) == ["a", "a"]
    }

    assert again == {408, 409, 429, 498, 500, 502, 503, 504, *range(520, 528), 529}


@pytest.mark.parametrize(
    ("reason", "again"),
    [
        (Reason.UPSTREAM_CONNECT_FAILED, True),
        (Reason.UPSTREAM_CONNECTION_LOST, False),
        (Reason.CONTENT_POLICY_REJECTED, False),
        (Reason.UPSTREAM_STREAM_TRUNCATED, False),
        (Reason.DEADLINE_EXCEEDED, False),
        (Reason.CANCELLED, False),
    ],
)
def test_only_some_failures_without_a_status_are_asked_again(reason: Reason, again: bool) -> None:
    """T-3."""
    assert (len(tour(snapshot(deployment("a")), reason)) == 2) is again


def test_a_failing_deployment_leaves_the_others_in_their_own_proportion() -> None:
    live = snapshot(deployment("bad", 0.5), deployment("b", 0.25), deployment("c", 0.25))
    random = Random(3)
    served: Counter[str] = Counter()
    for _ in range(10_000):
        course = first_course(live.groups["group"])
        one = draw_deployment(course, random.random())
        if one.id == "bad":
            following = next_course(live, course, one, BUSY)
            assert following is not None
            one = draw_deployment(following, random.random())
        served[one.id] += 1

    assert served["bad"] == 0
    assert abs(served["b"] - 5000) < 4 * (10_000 * 0.25) ** 0.5


def test_a_group_of_zero_weights_says_so() -> None:
    live = snapshot(deployment("a", 0), deployment("b", 0))

    with pytest.raises(RefusedError) as caught:
        draw_deployment(first_course(live.groups["group"]), 0.5)

    assert caught.value.reason is Reason.GROUP_HAS_NO_WEIGHT


def test_the_share_of_an_unusable_deployment_is_an_error() -> None:
    live = snapshot(deployment("a", unusable="no key"), deployment("b"))

    with pytest.raises(RefusedError, match="no key") as caught:
        draw_deployment(first_course(live.groups["group"]), 0.1)

    assert caught.value.reason is Reason.DEPLOYMENT_UNUSABLE
    assert draw_deployment(first_course(live.groups["group"]), 0.9).id == "b"

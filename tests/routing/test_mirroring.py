"""Which silent models a prompt is played to, and when."""

import math
from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from understudy.server.domain.chat import ChatCall, Message
from understudy.server.domain.deployment import Deployment, Endpoint, SilentModel, Snapshot
from understudy.server.domain.request import CompletionRequest, Target
from understudy.server.routing.mirroring import MirrorPlan, is_sampled, plan_mirror

from .making import deployment, snapshot

REQUEST = CompletionRequest(Target("group"), ChatCall((Message("user", "hi"),), {}), deadline=1.0)
PRIMARY = replace(deployment("p"), silent_models=(SilentModel("silent"),))
SILENT = deployment("s", group="silent")


def plan(
    live: Snapshot,
    primary: Deployment = PRIMARY,
    request: CompletionRequest = REQUEST,
    *,
    pair_id: str = "pair",
    after: bool = False,
    share: float = 1.0,
) -> MirrorPlan:
    return plan_mirror(
        live,
        primary,
        primary.silent_models,
        request,
        pair_id,
        Random(1).random,
        after_primary=after,
        share=share,
    )


def elsewhere(one: Deployment, url: str = "http://other/v1", key: str = "k") -> Deployment:
    return replace(one, endpoint=Endpoint(url, (("authorization", f"Bearer {key}"),)))


def test_a_silent_model_is_offered_beside_the_first_attempt() -> None:
    found = plan(snapshot(PRIMARY, elsewhere(SILENT)))

    assert [one.silent_model for one in found.beside] == ["silent"]
    assert found.after == ()
    assert found.passed_over == ()


def test_after_primary_lets_it_wait_for_the_answer() -> None:
    found = plan(snapshot(PRIMARY, elsewhere(SILENT)), after=True)

    assert [one.silent_model for one in found.after] == ["silent"]


@pytest.mark.parametrize(
    ("url", "key", "waits"),
    [
        ("http://host/v1/chat/completions", "same", True),
        ("http://host/v2/else", "same", True),
        ("http://host/v1/chat/completions", "other", False),
        ("http://host:81/v1/chat/completions", "same", False),
    ],
)
def test_a_silent_model_of_the_same_host_and_key_waits(url: str, key: str, waits: bool) -> None:
    primary = elsewhere(PRIMARY, "http://host/v1/chat/completions", "same")

    found = plan(snapshot(primary, elsewhere(SILENT, url, key)), primary)

    assert bool(found.after) is waits


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (CompletionRequest(REQUEST.target, REQUEST.chat, 1.0, may_mirror=False), "CALLER_REFUSED"),
        (
            CompletionRequest(REQUEST.target, REQUEST.chat, 1.0, is_client_retry=True),
            "CLIENT_RETRY",
        ),
    ],
)
def test_a_prompt_that_may_not_be_mirrored_is_passed_over(
    request_: CompletionRequest, reason: str
) -> None:
    found = plan(snapshot(PRIMARY, SILENT), request=request_)

    assert [(one.offered, one.reason) for one in found.passed_over] == [(False, reason)]
    assert found.beside == ()
    assert found.after == ()


def test_a_silent_group_that_serves_nothing_is_passed_over() -> None:
    found = plan(snapshot(PRIMARY, deployment("s", 0, group="silent")))

    assert found.passed_over[0].reason == "GROUP_HAS_NO_WEIGHT"


def test_a_silent_models_own_silent_model_is_not_followed() -> None:
    """M-22."""
    third = deployment("t", group="third")
    silent = replace(elsewhere(SILENT), silent_models=(SilentModel("third"),))

    found = plan(snapshot(PRIMARY, silent, third))

    assert [one.silent_model for one in found.beside] == ["silent"]


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 1.0])
def test_a_fraction_samples_its_share_of_pairs(fraction: float) -> None:
    """M-13."""
    pairs = 100_000
    sampled = sum(is_sampled(f"pair-{number}", "silent", fraction) for number in range(pairs))

    error = math.sqrt(fraction * (1 - fraction) / pairs)
    assert abs(sampled / pairs - fraction) <= 4 * error


def test_two_silent_models_sample_independently() -> None:
    """M-13 and R-4: chi-square on the joint table."""
    table = Counter(
        (is_sampled(f"pair-{number}", "a", 0.3), is_sampled(f"pair-{number}", "b", 0.6))
        for number in range(50_000)
    )
    total = table.total()
    chi2 = 0.0
    for one in (True, False):
        for other in (True, False):
            row = table[one, True] + table[one, False]
            column = table[True, other] + table[False, other]
            chi2 += (table[one, other] - row * column / total) ** 2 / (row * column / total)

    assert math.erfc(math.sqrt(chi2 / 2)) > 1e-4


def test_the_same_pair_is_always_sampled_or_never() -> None:
    assert [is_sampled(f"pair-{number}", "silent", 0.5) for number in range(8)] == [
        is_sampled(f"pair-{number}", "silent", 0.5) for number in range(8)
    ]


def test_a_busy_service_samples_fewer_of_the_same_pairs() -> None:
    primary = replace(PRIMARY, silent_models=(SilentModel("silent", fraction=0.5),))
    live = snapshot(primary, elsewhere(SILENT))
    calm = {f"{at}" for at in range(2000) if plan(live, primary, pair_id=f"{at}").beside}

    found = {f"{at}": plan(live, primary, pair_id=f"{at}", share=0.2) for at in range(2000)}

    offered = {name for name, one in found.items() if one.beside}
    why = {name: one.passed_over[0].reason for name, one in found.items() if one.passed_over}
    assert offered < calm
    assert abs(len(offered) / 2000 - 0.1) < 4 * math.sqrt(0.1 * 0.9 / 2000)
    assert {found[name].beside[0].fraction for name in offered} == {0.1}
    assert all((reason == "YIELDED") == (name in calm) for name, reason in why.items())

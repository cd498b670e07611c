"""Who answers a call when there are experiments, and what is said when it is not as asked."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from understudy.server.domain.chat import ChatCall
from understudy.server.domain.deployment import Snapshot
from understudy.server.domain.experiments import AssignmentReason, Experiment, State
from understudy.server.domain.request import CompletionRequest, SplitMode, Target
from understudy.server.errors import Reason, RequestError, UnderstudyError
from understudy.server.routing.assignment import takeovers
from understudy.server.routing.targets import Choice, choose_target, stand_in

from .making import LIVE, draft, in_state

REGISTER, OVERRIDE = SplitMode.REGISTER, SplitMode.OVERRIDE
EQUAL: list[Mapping[str, float]] = [
    {"gpt-4": 0.8, "llama-2": 0.2},
    {"gpt-4": 4, "llama-2": 1},
    {"best": 4, "llama-2": 1},
    {"best": 2, "gpt-4": 2, "llama-2": 1},
    {"gpt-4": 0.80004, "llama-2": 0.19996},
    {"gpt-4": 0.8, "llama-2": 0.2, "gpt-3.5-turbo": 0},
]
OTHER: list[Mapping[str, float]] = [
    {"gpt-4": 0.5, "llama-2": 0.5},
    {"gpt-4": 1},
    {"gpt-4": 0.8, "gpt-3.5-turbo": 0.2},
    {"gpt-4": 0.8, "nobody": 0.2},
    {"gpt-4": float("nan")},
    {"gpt-4": 0},
]


def serving(*experiments: Experiment) -> Snapshot:
    return replace(
        LIVE,
        experiments={one.id: one for one in experiments},
        takeovers=takeovers(experiments),
    )


def choose(snapshot: Snapshot, target: Target, ticket: float = 0.0) -> Choice:
    return choose_target(snapshot, CompletionRequest(target, ChatCall((), {}), 60.0), ticket)


def registering(models: Mapping[str, float]) -> Target:
    return Target(models=models, experiment="exp-1", mode=REGISTER)


@pytest.mark.parametrize("models", EQUAL)
def test_a_split_that_says_the_same_is_not_warned_of(models: Mapping[str, float]) -> None:
    assert not choose(serving(in_state(State.RUNNING)), registering(models)).warnings


@pytest.mark.parametrize("models", OTHER)
def test_a_split_that_differs_is_followed_and_warned_of(models: Mapping[str, float]) -> None:
    choice = choose(serving(in_state(State.RUNNING)), registering(models), 0.99)

    (told,) = choice.warnings
    assert told.reason == "SPLIT_DIFFERS"
    assert "gpt-4 80 % · llama-2 20 %" in told.message
    assert "override_client=True" in told.message
    assert (choice.variant, choice.group.name) == ("b", "llama-2")


@pytest.mark.parametrize("state", [State.ROLLED_BACK, State.CONCLUDED])
def test_an_experiment_that_is_over_differs_and_says_why(state: State) -> None:
    choice = choose(serving(in_state(state)), registering(EQUAL[0]))

    assert state.lower().replace("_", " ") in choice.warnings[0].message
    assert "100 %" in choice.warnings[0].message


def test_who_only_follows_is_not_warned() -> None:
    assert not choose(serving(in_state(State.RUNNING)), Target(experiment="exp-1")).warnings


def test_the_callers_own_weights_are_marked_as_such() -> None:
    target = Target(models={"llama-2": 1}, experiment="exp-1", mode=OVERRIDE)
    choice = choose(serving(in_state(State.RUNNING)), target)

    assert (choice.group.name, choice.warnings, choice.arm) == ("llama-2", (), None)
    assert choice.assigned is not None
    assert choice.assigned.reason is AssignmentReason.OVERRIDDEN
    assert choice.assigned.epoch == 0


def test_a_draft_leaves_the_caller_its_own_weights() -> None:
    choice = choose(serving(in_state(State.DRAFT)), registering({"llama-2": 1}))

    assert choice.group.name == "llama-2"
    assert choice.warnings[0].reason == "EXPERIMENT_NOT_STARTED"


def test_what_cannot_be_registered_now_is_answered_by_the_callers_weights() -> None:
    request = CompletionRequest(registering({"llama-2": 1}), ChatCall((), {}), 60.0)
    choice = stand_in(LIVE, request, 0.0, "the store is away")

    assert choice.group.name == "llama-2"
    assert choice.warnings[0].reason == "NOT_REGISTERED"
    assert choice.warnings[0].message.endswith("the store is away")


@pytest.mark.parametrize(
    ("mode", "models", "hint"),
    [
        (SplitMode.FOLLOW, {}, "ListExperiments"),
        (REGISTER, {"gpt-4": 1.0}, "understudy experiments create"),
    ],
)
def test_an_unknown_experiment_is_not_found_and_the_error_says_what_to_do(
    mode: SplitMode, models: Mapping[str, float], hint: str
) -> None:
    with pytest.raises(UnderstudyError, match=hint) as caught:
        choose(LIVE, Target(models=models, experiment="none", mode=mode))

    assert caught.value.reason is Reason.EXPERIMENT_NOT_FOUND


@pytest.mark.parametrize("name", ["gpt-4", "best"])
@pytest.mark.parametrize("state", [one for one in State if one is not State.DRAFT])
def test_a_group_that_was_taken_over_is_answered_by_the_experiment(state: State, name: str) -> None:
    choice = choose(serving(in_state(state, draft(model_group="gpt-4"))), Target(model=name))

    assert choice.assigned is not None
    assert choice.assigned.experiment == "exp-1"


def test_a_draft_takes_nothing_over() -> None:
    snapshot = serving(in_state(State.DRAFT, draft(model_group="gpt-4")))

    assert choose(snapshot, Target(model="gpt-4")).assigned is None


def test_models_name_groups_as_they_are() -> None:
    snapshot = serving(in_state(State.RUNNING, draft(model_group="gpt-4")))

    choice = choose(snapshot, Target(models={"gpt-4": 1}), 0.99)

    assert (choice.group.name, choice.assigned) == ("gpt-4", None)


@pytest.mark.parametrize(
    "target",
    [
        Target(),
        Target(model="gpt-4", experiment="exp-1"),
        Target(models={"gpt-4": 1}, experiment="exp-1"),
        Target(experiment="exp-1", mode=REGISTER),
        Target(experiment="exp-1", mode=OVERRIDE),
    ],
)
def test_a_target_that_says_two_things_or_none_is_refused(target: Target) -> None:
    with pytest.raises(RequestError):
        choose(serving(in_state(State.RUNNING)), target)

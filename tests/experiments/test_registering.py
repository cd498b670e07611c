"""A caller's weights become an experiment that runs at once."""

import pytest

from understudy.server.domain.experiments import State
from understudy.server.errors import Reason, RefusedError, RequestError
from understudy.server.experiments import changes
from understudy.server.experiments.changes import Moment
from understudy.server.experiments.checking import ID
from understudy.server.experiments.registering import from_split
from understudy.server.routing.slots import allot

from .making import after, find, in_state

MODELS = {"llama-2": 0.2, "gpt-4": 0.8}
URL = "huggingface/https://abc.endpoints.huggingface.cloud"


def test_variants_are_called_after_their_groups() -> None:
    draft = from_split("my-unique-id", MODELS)

    assert [(one.id, one.model_group, one.weight) for one in draft.variants] == [
        ("gpt-4", "gpt-4", 8000),
        ("llama-2", "llama-2", 2000),
    ]
    assert (draft.id, draft.control) == ("my-unique-id", "gpt-4")


def test_the_order_of_the_models_changes_nothing() -> None:
    assert from_split("x", MODELS) == from_split("x", dict(reversed(MODELS.items())))


@pytest.mark.parametrize(
    ("models", "control", "expected"),
    [
        ({"b": 1, "a": 1}, "", "a"),
        ({"b": 1.000_000_1, "a": 1}, "", "b"),
        ({"b": 9, "a": 1}, "a", "a"),
        ({URL: 9, "a": 1}, "", "huggingface-https-abc.endpoints.huggingface.cloud"),
    ],
)
def test_the_control_is_the_one_named_else_the_heaviest(
    models: dict[str, float], control: str, expected: str
) -> None:
    assert from_split("x", models, control).control == expected


def test_a_group_whose_name_is_no_id_gets_one_of_its_own() -> None:
    models = {URL: 1.0, "a/b": 1.0, "a-b": 1.0, "a b": 1.0, "//": 1.0, "é" * 200: 1.0}
    models |= {"x" * 200 + "/1": 1.0, "x" * 200 + "/2": 1.0}
    draft = from_split("x", models)

    names = {one.model_group: one.id for one in draft.variants}
    assert names.keys() == models.keys()
    assert names["a-b"] == "a-b"
    assert len(set(names.values())) == len(models)
    assert all(ID.fullmatch(name) for name in names.values())


@pytest.mark.parametrize(
    ("models", "control", "field"),
    [
        ({}, "", "models"),
        ({"a": 0.0}, "", "models"),
        ({"a": -1.0, "b": 1}, "", "models['a']"),
        ({"a": float("nan"), "b": 1}, "", "models['a']"),
        ({"a": 1.0, "b": 1}, "c", "control"),
        ({f"m{at}": 1.0 for at in range(65)}, "", "models"),
    ],
)
def test_what_cannot_be_split_is_refused(
    models: dict[str, float], control: str, field: str
) -> None:
    with pytest.raises(RequestError) as caught:
        from_split("x", models, control)

    assert caught.value.field == field


def test_what_is_registered_runs_from_its_first_revision() -> None:
    change = changes.register(from_split("x", MODELS), Moment(4, 9), salt="x:1", find=find)
    one = after(change)

    assert change.before is None
    assert (one.state, one.revision, one.started, one.runs) == (State.RUNNING, 4, 9, 1)
    assert one.slots == allot({"gpt-4": 8000, "llama-2": 2000})
    assert (one.assignment.salt, one.epochs[0].revision) == ("x:1", 4)


def test_an_id_is_registered_once() -> None:
    with pytest.raises(RefusedError) as caught:
        changes.register(
            from_split("exp-1", MODELS),
            Moment(4, 9),
            salt="x:1",
            find=find,
            others=[in_state(State.DRAFT)],
        )

    assert caught.value.reason is Reason.EXPERIMENT_EXISTS


def test_a_model_that_is_none_is_not_registered() -> None:
    with pytest.raises(RequestError) as caught:
        changes.register(
            from_split("x", {"gpt-4": 1, "gtp-4": 1}), Moment(4, 9), salt="x:1", find=find
        )

    assert caught.value.reason is Reason.MODEL_NOT_FOUND

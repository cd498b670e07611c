"""What may be changed in an experiment while it serves, before, and after."""

from collections.abc import Callable

import pytest
from msgspec import Raw, structs

from understudy.server.domain.experiments import (
    Assignment,
    Experiment,
    KeyKind,
    MirrorPart,
    Overrides,
    State,
)
from understudy.server.errors import Reason, RefusedError, UnderstudyError
from understudy.server.experiments import changes
from understudy.server.experiments.changes import MOST_EPOCHS, Moment
from understudy.server.routing.slots import allot, count_moved

from .making import after, changed, draft, find, in_state, update, weighed

Wish = Callable[[Experiment], Experiment]

LIVE = (State.RUNNING, State.PAUSED)


@pytest.mark.parametrize("state", LIVE)
def test_new_weights_open_an_epoch_and_move_the_least(state: State) -> None:
    one = in_state(state)
    change = update(one, weighed(one, {"a": 5000, "b": 5000}))
    new = after(change)

    assert change.cause == new.epochs[1].cause == "weights 80/20 → 50/50"
    assert change.moved == count_moved(one.slots, new.slots) == 3000
    assert new.epochs[0] == structs.replace(one.epochs[0], ended=5000)
    assert (new.epochs[1].number, new.epochs[1].revision) == (2, 20)
    assert (new.epochs[1].started, new.epochs[1].ended) == (5000, None)
    assert new.epochs[1].weights == {"a": 5000, "b": 5000}
    assert new.assignment == one.assignment
    assert (new.revision, new.updated, new.state) == (20, 5000, state)


OPENING: list[Wish] = [
    lambda one: changed(one, "b", model_group="gpt-3.5-turbo"),
    lambda one: changed(one, "b", overrides=Overrides("Be brief.")),
    lambda one: changed(one, "b", overrides=Overrides(temperature=0.5)),
    lambda one: changed(one, "b", overrides=Overrides(params={"seed": Raw(b"1")})),
    lambda one: structs.replace(one, mirror=(MirrorPart("gpt-4"),)),
    lambda one: weighed(one, {"a": 8000, "b": 2000, "c": 0}),
]
NEUTRAL: list[Wish] = [
    lambda one: structs.replace(one, title="new"),
    lambda one: weighed(one, {"b": 2000, "a": 8000}),
]
FIXED: dict[str, Wish] = {
    "assignment": lambda one: structs.replace(one, assignment=Assignment(KeyKind.REQUEST)),
    "control": lambda one: structs.replace(one, control="b"),
    "model_group": lambda one: structs.replace(one, model_group="gpt-4"),
    "variants": lambda one: weighed(one, {"a": 8000, "c": 2000}),
}


@pytest.mark.parametrize("wanted", OPENING)
def test_what_prompts_meet_may_change_while_live_and_opens_an_epoch(
    wanted: Wish,
) -> None:
    one = in_state(State.RUNNING)
    change = update(one, wanted(one))

    assert change.moved == 0
    assert after(change).epochs[-1].cause == change.cause != ""
    assert len(after(change).epochs) == 2


@pytest.mark.parametrize("wanted", NEUTRAL)
def test_a_title_and_the_order_of_variants_open_none(
    wanted: Wish,
) -> None:
    one = in_state(State.RUNNING)
    new = after(update(one, wanted(one)))

    assert (new.epochs, new.slots) == (one.epochs, one.slots)
    assert new.revision == 20


def test_an_update_that_changes_nothing_is_none() -> None:
    one = in_state(State.RUNNING)
    change = update(one, one)

    assert change.after == change.before == one


@pytest.mark.parametrize("state", LIVE)
@pytest.mark.parametrize("field", FIXED)
def test_who_is_compared_and_how_stays_while_live(state: State, field: str) -> None:
    one = in_state(state)

    with pytest.raises(RefusedError) as caught:
        update(one, FIXED[field](one))
    assert caught.value.reason is Reason.IMMUTABLE_WHILE_RUNNING
    assert caught.value.metadata == {"experiment": "exp-1", "field": f"experiment.{field}"}


def test_a_variant_is_ramped_down_before_it_is_removed() -> None:
    one = in_state(State.RUNNING)
    three = after(update(one, weighed(one, {"a": 8000, "b": 1000, "c": 1000})))
    down = after(update(three, weighed(three, {"a": 9000, "b": 1000, "c": 0}), revision=21))
    gone = after(update(down, weighed(down, {"a": 9000, "b": 1000}), revision=22))

    assert [variant.id for variant in gone.variants] == ["a", "b"]
    assert gone.epochs[-1].cause == "variant 'c' removed"


def test_a_variant_whose_group_has_gone_can_be_given_up() -> None:
    one = changed(in_state(State.RUNNING), "b", model_group="gone")

    assert after(update(one, weighed(one, {"a": 10_000, "b": 0}))).slots == allot({"a": 10_000})


def test_everything_may_change_in_a_draft() -> None:
    one = in_state(State.DRAFT)
    wanted = structs.replace(
        draft({"x": 1, "y": 9999}),
        model_group="gpt-4",
        assignment=Assignment(KeyKind.METADATA, "team"),
        title="new",
    )
    change = update(one, wanted)

    assert after(change) == structs.replace(wanted, revision=20, created=1000, updated=5000)
    assert change.moved == 0


def test_only_the_title_changes_once_something_has_won() -> None:
    one = in_state(State.CONCLUDED)

    assert after(update(one, structs.replace(one, title="new"))).title == "new"
    for wanted in (
        weighed(one, {"a": 5000, "b": 5000}),
        changed(one, "b", overrides=Overrides("hi")),
        structs.replace(one, control="b"),
    ):
        with pytest.raises(RefusedError) as caught:
            update(one, wanted)
        assert caught.value.reason is Reason.ILLEGAL_TRANSITION


MENDING: list[Wish] = [
    lambda one: structs.replace(one, title="new"),
    lambda one: weighed(one, {"a": 5000, "b": 5000}),
    lambda one: weighed(one, {"a": 5000, "c": 5000}),
    lambda one: changed(one, "b", model_group="gpt-3.5-turbo"),
    lambda one: changed(one, "b", overrides=Overrides("Be brief.")),
    lambda one: structs.replace(one, mirror=(MirrorPart("gpt-4"),)),
    lambda one: structs.replace(
        one, assignment=structs.replace(one.assignment, key=KeyKind.REQUEST)
    ),
]
STILL_SERVING: dict[str, Wish] = {
    "control": lambda one: structs.replace(one, control="b"),
    "model_group": lambda one: structs.replace(one, model_group="gpt-4"),
    "variants": lambda one: changed(one, "a", overrides=Overrides("hi")),
}


@pytest.mark.parametrize("wish", MENDING)
def test_what_is_rolled_back_is_mended_before_it_is_started_again(wish: Wish) -> None:
    one = in_state(State.ROLLED_BACK)
    change = update(one, wish(one))
    new = after(change)

    assert change.moved == 0
    assert (new.state, new.slots, new.epochs) == (State.ROLLED_BACK, one.slots, one.epochs)
    again = after(
        changes.start(
            new, Moment(21, 6000), etag=new.etag, salt="exp-1:new", find=find, others=[new]
        )
    )
    assert again.slots == allot({one.id: one.weight for one in new.variants})
    assert again.epochs[-1].number == len(one.epochs) + 1


@pytest.mark.parametrize("field", STILL_SERVING)
def test_what_serves_after_a_rollback_stays_as_it_is(field: str) -> None:
    one = in_state(State.ROLLED_BACK)

    with pytest.raises(RefusedError) as caught:
        update(one, STILL_SERVING[field](one))

    assert caught.value.reason is Reason.IMMUTABLE_WHILE_RUNNING
    assert caught.value.metadata["field"] == f"experiment.{field}"


def test_the_control_is_not_removed_after_a_rollback() -> None:
    one = in_state(State.ROLLED_BACK)

    with pytest.raises(UnderstudyError):
        update(one, weighed(one, {"b": 5000, "c": 5000}))


def test_a_mask_that_names_no_field_is_refused() -> None:
    one = in_state(State.DRAFT)

    with pytest.raises(UnderstudyError) as caught:
        update(one, one, "state")
    assert caught.value.reason is Reason.BAD_UPDATE_MASK


def test_what_a_mask_does_not_name_may_be_wrong() -> None:
    one = in_state(State.DRAFT)
    wanted = structs.replace(one, title="new", control="nobody")

    assert after(update(one, wanted, "title")).control == "a"


def test_only_the_last_epochs_are_kept() -> None:
    current = in_state(State.RUNNING)
    for revision in range(current.revision + 1, current.revision + MOST_EPOCHS + 20):
        a = 5000 + revision % 2
        change = changes.update(
            current,
            weighed(current, {"a": a, "b": 10_000 - a}),
            Moment(revision, revision),
            etag=current.etag,
            paths=("variants",),
            populated=(),
            find=find,
        )
        current = after(change)

    numbers = [one.number for one in current.epochs]
    assert len(numbers) == MOST_EPOCHS
    assert numbers == list(range(numbers[0], numbers[0] + MOST_EPOCHS))
    assert current.epochs[-1].revision == current.revision

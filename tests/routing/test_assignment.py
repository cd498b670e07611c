"""A caller stays with a variant by its key, and is drawn where it has none."""

import re
from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from understudy.server.domain.experiments import SLOTS, AssignmentReason, Experiment, KeyKind, State
from understudy.server.errors import Reason, RefusedError
from understudy.server.routing.assignment import (
    assign,
    find_key,
    hash_key,
    serving_slots,
    takeovers,
)
from understudy.server.routing.slots import count_moved, find_slot, owner

from .experimenting import SALT, call, experiment

TICKETS = st.floats(0, 1, exclude_max=True)


@given(st.text(min_size=1), TICKETS)
def test_a_key_gets_the_variant_of_its_slot_whatever_the_ticket(user: str, ticket: float) -> None:
    live = experiment()
    assigned = assign(live, call(user), ticket)

    assert assigned.variant == owner(live.slots, find_slot(SALT, user))
    assert assigned.reason is AssignmentReason.STICKY
    assert assigned.experiment == "exp-1"
    assert assigned.epoch == 3


@pytest.mark.parametrize(
    ("user", "variant"), [("user-1", "new"), ("user-2", "control"), ("ключ", "control")]
)
def test_a_user_gets_the_variant_that_was_written_down(user: str, variant: str) -> None:
    assert assign(experiment(), call(user), 0.0).variant == variant


@given(TICKETS)
def test_a_call_without_a_key_is_drawn_by_its_ticket(ticket: float) -> None:
    assigned = assign(experiment(), call(), ticket)

    assert assigned.variant == ("control" if ticket < 0.8 else "new")
    assert assigned.reason is AssignmentReason.RANDOM
    assert not assigned.key_hash


def test_draws_follow_the_weights() -> None:
    live = experiment(weights={"a": 1, "b": 9998, "c": 1, "d": 0})
    drawn = Counter(assign(live, call(), at / SLOTS).variant for at in range(SLOTS))

    assert drawn == {"a": 1, "b": 9998, "c": 1}


@pytest.mark.parametrize(
    ("kind", "name", "user", "metadata", "key"),
    [
        (KeyKind.AUTO, "", "u", {}, "u"),
        (KeyKind.AUTO, "", "", {}, None),
        (KeyKind.USER, "", "u", {}, "u"),
        (KeyKind.USER, "", "", {}, None),
        (KeyKind.METADATA, "team", "u", {"team": "t"}, "t"),
        (KeyKind.METADATA, "team", "u", {"team": ""}, ""),
        (KeyKind.METADATA, "team", "u", {"other": "t"}, None),
        (KeyKind.REQUEST, "", "u", {"team": "t"}, None),
    ],
)
def test_a_key_is_what_the_assignment_says(
    kind: KeyKind, name: str, user: str, metadata: dict[str, str], key: str | None
) -> None:
    live = experiment(key=kind, metadata_key=name)

    assert find_key(live, call(user, metadata)) == key


def test_an_empty_label_is_a_key_and_no_label_is_none() -> None:
    live = experiment(key=KeyKind.METADATA, metadata_key="team")

    assert assign(live, call(metadata={"team": ""}), 0.99).reason is AssignmentReason.STICKY
    assert assign(live, call(metadata={}), 0.99).reason is AssignmentReason.RANDOM


@pytest.mark.parametrize("user", ["", "user-1", "user-2"])
@pytest.mark.parametrize(
    ("state", "variant", "reason"),
    [
        (State.ROLLED_BACK, "control", AssignmentReason.ROLLED_BACK),
        (State.CONCLUDED, "new", AssignmentReason.CONCLUDED),
    ],
)
def test_after_the_end_everybody_gets_one_variant(
    state: State, variant: str, reason: AssignmentReason, user: str
) -> None:
    for ticket in (0.0, 0.5, 0.999_999_999_999_999_9):
        assigned = assign(experiment(state), call(user), ticket)

        assert (assigned.variant, assigned.reason) == (variant, reason)
        assert (assigned.epoch, assigned.key_hash) == (0, "")


@given(st.text(), TICKETS)
def test_a_pause_moves_nobody_and_compares_nobody(user: str, ticket: float) -> None:
    running = assign(experiment(), call(user), ticket)
    paused = assign(experiment(State.PAUSED), call(user), ticket)

    assert paused == structs.replace(running, epoch=0)


def test_a_draft_serves_nobody() -> None:
    with pytest.raises(RefusedError, match="StartExperiment") as caught:
        assign(experiment(State.DRAFT), call("u"), 0.5)

    assert caught.value.reason is Reason.EXPERIMENT_NOT_STARTED
    assert caught.value.metadata == {"experiment": "exp-1"}


def test_a_key_is_counted_without_being_known() -> None:
    hashed = assign(experiment(), call("user-1"), 0.5).key_hash

    assert re.fullmatch("[0-9a-f]{16}", hashed)
    assert hashed == hash_key(SALT, "user-1") == "7544ab19da999ef9"
    assert hashed != hash_key(SALT, "user-2")
    assert hashed != hash_key("exp-1:other", "user-1")


def test_the_hash_of_a_key_tells_nothing_of_its_slot() -> None:
    same = sum(
        (int(hash_key(SALT, f"user-{at}"), 16) >> 11) * SLOTS >> 53 == find_slot(SALT, f"user-{at}")
        for at in range(1000)
    )

    assert same <= 3


def test_who_is_served_is_told_by_slots_in_every_state() -> None:
    assert serving_slots(experiment(State.DRAFT)) == ()
    split = serving_slots(experiment())
    assert count_moved(split, serving_slots(experiment(State.PAUSED))) == 0
    assert count_moved(split, serving_slots(experiment(State.ROLLED_BACK))) == 2000
    assert count_moved(split, serving_slots(experiment(State.CONCLUDED))) == 8000


def test_a_group_is_taken_over_by_the_live_experiment_else_by_the_last_to_end() -> None:
    def taking(name: str, state: State, *, group: str = "gpt-4", ended: int = 0) -> Experiment:
        return structs.replace(experiment(state, id=name), model_group=group, ended=ended)

    draft = taking("draft", State.DRAFT)
    early = taking("early", State.CONCLUDED, ended=1)
    late = taking("late", State.ROLLED_BACK, ended=2)
    live = taking("live", State.PAUSED)
    other = taking("other", State.CONCLUDED, group="llama-2", ended=9)
    nowhere = taking("nowhere", State.RUNNING, group="")

    for order in permutations((draft, early, late, live, other, nowhere)):
        assert takeovers(order) == {"gpt-4": "live", "llama-2": "other"}
    for order in permutations((draft, early, late)):
        assert takeovers(order) == {"gpt-4": "late"}
    assert takeovers((draft, nowhere)) == {}

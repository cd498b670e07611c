"""What may be done to an experiment in each state, and what it is then."""

from collections.abc import Callable

import pytest
from msgspec import structs

from understudy.server.domain.experiments import (
    Assignment,
    Experiment,
    KeyKind,
    State,
)
from understudy.server.errors import Reason, RefusedError, RequestError
from understudy.server.experiments import changes
from understudy.server.experiments.changes import Change, Moment
from understudy.server.routing.assignment import serving_slots
from understudy.server.routing.slots import allot

from .making import after, changed, draft, find, in_state

MOMENT = Moment(20, 5000)
LIVE = (State.RUNNING, State.PAUSED)


def start(current: Experiment, *others: Experiment, etag: str = "") -> Change:
    return changes.start(
        current, MOMENT, etag=etag or current.etag, salt="new", find=find, others=others
    )


VERBS: dict[str, Callable[[Experiment, str], Change]] = {
    "StartExperiment": lambda one, etag: start(one, etag=etag),
    "PauseExperiment": lambda one, etag: changes.pause(one, MOMENT, etag=etag),
    "ResumeExperiment": lambda one, etag: changes.resume(one, MOMENT, etag=etag),
    "RollbackExperiment": lambda one, etag: changes.rollback(one, MOMENT, cause="slow"),
    "ConcludeExperiment": lambda one, etag: changes.conclude(one, MOMENT, etag=etag, winner="b"),
    "DeleteExperiment": lambda one, etag: changes.delete(one, MOMENT, etag=etag),
}

# From each state, by each verb: the state after, None for one that is gone.
LEGAL: dict[tuple[State, str], State | None] = {
    (State.DRAFT, "StartExperiment"): State.RUNNING,
    (State.DRAFT, "DeleteExperiment"): None,
    (State.RUNNING, "PauseExperiment"): State.PAUSED,
    (State.RUNNING, "RollbackExperiment"): State.ROLLED_BACK,
    (State.RUNNING, "ConcludeExperiment"): State.CONCLUDED,
    (State.PAUSED, "ResumeExperiment"): State.RUNNING,
    (State.PAUSED, "RollbackExperiment"): State.ROLLED_BACK,
    (State.PAUSED, "ConcludeExperiment"): State.CONCLUDED,
    (State.ROLLED_BACK, "StartExperiment"): State.RUNNING,
    (State.ROLLED_BACK, "RollbackExperiment"): State.ROLLED_BACK,
    (State.ROLLED_BACK, "DeleteExperiment"): None,
    (State.CONCLUDED, "StartExperiment"): State.RUNNING,
    (State.CONCLUDED, "DeleteExperiment"): None,
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("state", State)
def test_each_verb_is_for_its_states(state: State, verb: str) -> None:
    one = in_state(state)
    if (state, verb) in LEGAL:
        change = VERBS[verb](one, one.etag)
        assert change.action == verb
        assert change.before == one
        assert (change.after and change.after.state) == LEGAL[state, verb]
        return

    with pytest.raises(RefusedError) as caught:
        VERBS[verb](one, one.etag)
    assert caught.value.reason is Reason.ILLEGAL_TRANSITION
    assert caught.value.metadata == {"experiment": "exp-1", "state": state}
    assert one == in_state(state)


@pytest.mark.parametrize("verb", [one for one in VERBS if one != "RollbackExperiment"])
@pytest.mark.parametrize("state", State)
def test_whoever_read_something_older_changes_nothing(state: State, verb: str) -> None:
    one = in_state(state)

    with pytest.raises(RefusedError) as caught:
        VERBS[verb](one, '"1"')
    assert caught.value.reason is Reason.ETAG_MISMATCH
    assert caught.value.metadata["currentEtag"] == one.etag


@pytest.mark.parametrize("state", State)
def test_an_etag_is_needed(state: State) -> None:
    one = in_state(state)

    with pytest.raises(RequestError) as caught:
        changes.update(one, one, MOMENT, etag="", paths=(), populated=("title",), find=find)
    assert caught.value.field == "etag"
    with pytest.raises(RequestError) as caught:
        changes.delete(one, MOMENT, etag="")
    assert caught.value.field == "etag"


def test_a_revision_that_does_not_grow_is_a_fault_of_ours() -> None:
    one = in_state(State.RUNNING)

    with pytest.raises(ValueError, match="revision"):
        changes.pause(one, Moment(one.revision, 5000), etag=one.etag)


def test_what_only_the_server_sets_is_not_created() -> None:
    forged = structs.replace(
        in_state(State.CONCLUDED), assignment=Assignment(KeyKind.USER, salt="forged")
    )
    change = changes.create(forged, Moment(3, 7), find=find)

    assert change == Change(
        "CreateExperiment",
        None,
        structs.replace(
            draft(), assignment=Assignment(KeyKind.USER), revision=3, created=7, updated=7
        ),
    )


def test_an_id_is_taken_once() -> None:
    with pytest.raises(RefusedError) as caught:
        changes.create(draft(), MOMENT, find=find, others=[in_state(State.CONCLUDED)])

    assert caught.value.reason is Reason.EXPERIMENT_EXISTS
    assert caught.value.metadata == {"experiment": "exp-1"}


def test_a_start_begins_a_run() -> None:
    one = in_state(State.RUNNING)

    assert one.slots == allot({"a": 8000, "b": 2000})
    assert one.assignment.salt == "exp-1:7f3a"
    assert (one.runs, one.started, one.ended, one.winner) == (1, 2000, 0, "")
    (epoch,) = one.epochs
    assert (epoch.number, epoch.revision, epoch.started, epoch.ended) == (1, 11, 2000, None)
    assert epoch.weights == {"a": 8000, "b": 2000}
    assert epoch.cause == "run 1 started"


@pytest.mark.parametrize("state", [State.ROLLED_BACK, State.CONCLUDED])
def test_a_new_run_draws_anew_and_counts_on(state: State) -> None:
    ended = in_state(state)
    change = start(ended)
    again = after(change)

    assert again.assignment.salt == "new"
    assert (again.runs, again.started, again.ended, again.winner) == (2, 5000, 0, "")
    assert [one.number for one in again.epochs] == [1, 2]
    assert again.epochs[0] == ended.epochs[0]
    assert again.epochs[1].cause == change.cause == "run 2 started"
    assert change.moved == (2000 if state is State.ROLLED_BACK else 8000)


@pytest.mark.parametrize("state", State)
def test_one_live_experiment_has_a_group(state: State) -> None:
    mine = in_state(State.DRAFT, draft(model_group="gpt-4"))
    other = in_state(state, draft(id="other", model_group="gpt-4"))
    if state not in LIVE:
        assert after(start(mine, mine, other)).state is State.RUNNING
        return

    with pytest.raises(RefusedError) as caught:
        start(mine, mine, other)
    assert caught.value.reason is Reason.GROUP_TAKEN
    assert caught.value.metadata == {"experiment": "other", "modelGroup": "gpt-4"}


def test_experiments_without_a_group_stand_side_by_side() -> None:
    mine = in_state(State.DRAFT)

    assert after(start(mine, in_state(State.RUNNING, draft(id="other")))).state is State.RUNNING


def test_a_start_looks_up_every_group_again() -> None:
    gone = changed(in_state(State.ROLLED_BACK), "b", model_group="gone")

    with pytest.raises(RequestError) as caught:
        start(gone)
    assert caught.value.reason is Reason.MODEL_NOT_FOUND


def test_a_pause_holds_slots_and_epoch() -> None:
    running = in_state(State.RUNNING)
    paused = in_state(State.PAUSED)
    resumed = after(changes.resume(paused, MOMENT, etag=paused.etag))

    for one in (paused, resumed):
        assert (one.slots, one.epochs, one.started, one.ended) == (
            running.slots,
            running.epochs,
            2000,
            0,
        )


@pytest.mark.parametrize("state", LIVE)
def test_a_rollback_gives_everybody_the_control_at_once(state: State) -> None:
    change = changes.rollback(in_state(state), MOMENT, cause="too slow")
    ended = after(change)

    assert ended.state is State.ROLLED_BACK
    assert (ended.revision, ended.ended, ended.updated) == (20, 5000, 5000)
    assert ended.epochs[-1].ended == 5000
    assert {one.variant for one in serving_slots(ended)} == {"a"}
    assert (change.cause, change.moved) == ("too slow", 2000)


def test_a_second_rollback_changes_nothing() -> None:
    ended = in_state(State.ROLLED_BACK)
    change = changes.rollback(ended, MOMENT)

    assert change.after == change.before == ended


def test_a_rollback_is_not_refused_for_a_long_cause() -> None:
    assert len(changes.rollback(in_state(State.RUNNING), MOMENT, cause="x" * 10**6).cause) == 1000


def test_a_conclusion_gives_everybody_the_winner() -> None:
    change = changes.conclude(
        running := in_state(State.RUNNING), MOMENT, etag=running.etag, winner="b"
    )
    ended = after(change)

    assert (ended.winner, ended.ended, ended.epochs[-1].ended) == ("b", 5000, 5000)
    assert {one.variant for one in serving_slots(ended)} == {"b"}
    assert change.moved == 8000


@pytest.mark.parametrize("winner", ["", "c"])
def test_a_winner_is_a_variant(winner: str) -> None:
    one = in_state(State.RUNNING)

    with pytest.raises(RequestError) as caught:
        changes.conclude(one, MOMENT, etag=one.etag, winner=winner)
    assert caught.value.field == "winner"


def test_a_clock_that_runs_behind_sets_nothing_back() -> None:
    one = in_state(State.RUNNING)
    ended = after(changes.rollback(one, Moment(20, 5)))

    assert ended.updated == ended.ended == ended.epochs[-1].ended == one.updated

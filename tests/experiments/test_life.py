"""Whatever is done to an experiment, in whatever order, what must hold of it holds."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec import json, structs

from understudy.server.domain.experiments import SLOTS, Experiment, Overrides, State
from understudy.server.errors import Reason, UnderstudyError
from understudy.server.experiments import changes
from understudy.server.experiments.changes import Change, Moment
from understudy.server.routing.assignment import assign, serving_slots
from understudy.server.routing.slots import count_moved

from ..routing.experimenting import call
from .making import after, changed, draft, find, weighed

NAMES = ("a", "b", "c", "d")
KEYS = [call(f"user-{number}") for number in range(40)]
NEXT = {
    State.DRAFT: {State.DRAFT, State.RUNNING},
    State.RUNNING: {State.RUNNING, State.PAUSED, State.ROLLED_BACK, State.CONCLUDED},
    State.PAUSED: {State.PAUSED, State.RUNNING, State.ROLLED_BACK, State.CONCLUDED},
    State.ROLLED_BACK: {State.ROLLED_BACK, State.RUNNING},
    State.CONCLUDED: {State.CONCLUDED, State.RUNNING},
}
REFUSALS = {
    Reason.ILLEGAL_TRANSITION,
    Reason.ETAG_MISMATCH,
    Reason.IMMUTABLE_WHILE_RUNNING,
    Reason.INVALID_REQUEST,
}
POINTS = st.lists(st.integers(0, SLOTS), min_size=1, max_size=len(NAMES) - 1)


def assignments(one: Experiment) -> list[str]:
    if one.state is State.DRAFT:
        return []
    return [assign(one, request, 0.0).variant for request in KEYS]


class Life(RuleBasedStateMachine):
    """One experiment, and everything that operators may try with it."""

    def __init__(self) -> None:
        super().__init__()
        self.revision: int = 1
        self.one: Experiment = after(changes.create(draft(), Moment(1, 0), find=find))

    def attempt(self, act: Callable[[Moment], Change], now: int) -> None:
        before = self.one
        stored = json.encode(before)
        change: Change | None = None
        refused: Reason | None = None
        try:
            change = act(Moment(self.revision + 1, now))
        except UnderstudyError as error:
            refused = error.reason
        assert json.encode(before) == stored
        if change is None:
            assert refused in REFUSALS
            return
        assert change.before is before
        if change.after == before:
            assert change.moved == 0
            return
        self.check(before, after(change), change)
        self.one = after(change)
        self.revision = self.one.revision

    def check(self, before: Experiment, new: Experiment, change: Change) -> None:
        assert new.revision == self.revision + 1
        assert new.updated >= before.updated
        assert new.state in NEXT[before.state]
        assert change.moved == count_moved(serving_slots(before), serving_slots(new))
        if change.moved == 0 and before.state is not State.DRAFT:
            assert assignments(before) == assignments(new)
        assert len(new.epochs) - len(before.epochs) in (0, 1)
        for was, now in zip(before.epochs, new.epochs, strict=False):
            assert structs.replace(was, ended=now.ended) == now
        if new.runs != before.runs:
            assert new.runs == before.runs + 1
            assert new.assignment.salt != before.assignment.salt
        else:
            assert new.assignment.salt == before.assignment.salt

    def etag(self, stale: bool) -> str:
        return '"0"' if stale else self.one.etag

    def update(self, wanted: Experiment, now: int, stale: bool = False) -> None:
        self.attempt(
            lambda moment: changes.update(
                self.one,
                wanted,
                moment,
                etag=self.etag(stale),
                paths=("*",),
                populated=(),
                find=find,
            ),
            now,
        )

    @rule(points=POINTS, now=st.integers(0, 99), stale=st.booleans())
    def set_weights(self, points: list[int], now: int, stale: bool) -> None:
        bounds = [0, *sorted(points), SLOTS]
        names = NAMES[: len(bounds) - 1]
        weights = {
            name: high - low for name, (low, high) in zip(names, pairwise(bounds), strict=True)
        }
        self.update(weighed(self.one, weights), now, stale)

    @rule(name=st.sampled_from(NAMES), group=st.sampled_from(["gpt-4", "llama-2"]))
    def change_model(self, name: str, group: str) -> None:
        self.update(changed(self.one, name, model_group=group), 0)

    @rule(name=st.sampled_from(NAMES), prompt=st.sampled_from([None, "x", "y"]))
    def change_prompt(self, name: str, prompt: str | None) -> None:
        self.update(changed(self.one, name, overrides=Overrides(prompt)), 0)

    @rule(title=st.sampled_from(["", "x", "y"]))
    def change_title(self, title: str) -> None:
        epochs = self.one.epochs
        self.update(structs.replace(self.one, title=title), 0)
        assert self.one.epochs == epochs

    @rule(now=st.integers(0, 99), stale=st.booleans())
    def start(self, now: int, stale: bool) -> None:
        salt = f"exp-1:{self.revision}"
        self.attempt(
            lambda moment: changes.start(
                self.one, moment, etag=self.etag(stale), salt=salt, find=find, others=[self.one]
            ),
            now,
        )

    @rule(now=st.integers(0, 99))
    def pause(self, now: int) -> None:
        self.attempt(lambda moment: changes.pause(self.one, moment, etag=self.one.etag), now)

    @rule(now=st.integers(0, 99))
    def resume(self, now: int) -> None:
        self.attempt(lambda moment: changes.resume(self.one, moment, etag=self.one.etag), now)

    @precondition(lambda self: self.one.state.is_live)
    @rule(now=st.integers(0, 99))
    def roll_back(self, now: int) -> None:
        revision = self.revision
        self.attempt(lambda moment: changes.rollback(self.one, moment), now)
        assert self.one.state is State.ROLLED_BACK
        assert self.one.revision == revision + 1
        assert set(assignments(self.one)) == {self.one.control}

    @precondition(lambda self: not self.one.state.is_live)
    @rule()
    def roll_back_again(self) -> None:
        before = self.one
        self.attempt(lambda moment: changes.rollback(self.one, moment), 0)
        assert self.one == before

    @rule(now=st.integers(0, 99), winner=st.sampled_from(NAMES))
    def conclude(self, now: int, winner: str) -> None:
        self.attempt(
            lambda moment: changes.conclude(self.one, moment, etag=self.one.etag, winner=winner),
            now,
        )

    @invariant()
    def weights_are_a_whole_and_the_width_of_the_slots(self) -> None:
        weights = {one.id: one.weight for one in self.one.variants if one.weight}
        assert sum(weights.values()) == SLOTS
        widths = Counter[str]()
        for one in self.one.slots:
            widths[one.variant] += one.end - one.start
        if self.one.state is State.ROLLED_BACK:  # it may be mended, the run that ended may not
            weights = {name: one for name, one in self.one.epochs[-1].weights.items() if one}
        assert dict(widths) == (weights if self.one.runs else {})

    @invariant()
    def what_ended_splits_nobody(self) -> None:
        match self.one.state:
            case State.ROLLED_BACK:
                assert set(assignments(self.one)) == {self.one.control}
            case State.CONCLUDED:
                assert set(assignments(self.one)) == {self.one.winner}
            case _:
                assert not self.one.winner

    @invariant()
    def exactly_what_is_live_has_an_open_epoch(self) -> None:
        numbers = [one.number for one in self.one.epochs]
        assert numbers == list(range(1, len(numbers) + 1))
        is_open = [one.ended is None for one in self.one.epochs]
        assert not any(is_open[:-1])
        assert bool(is_open and is_open[-1]) == self.one.state.is_live
        if self.one.state.is_live:
            assert self.one.epochs[-1].weights == {one.id: one.weight for one in self.one.variants}
        for one in self.one.epochs:
            assert one.ended is None or one.started <= one.ended

    @invariant()
    def it_is_stored_and_read_as_it_is(self) -> None:
        assert json.decode(json.encode(self.one), type=Experiment) == self.one


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)

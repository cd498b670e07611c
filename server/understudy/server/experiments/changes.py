"""What may be done to an experiment, and what it is then. Pure: one function for each change.

Each takes the experiment as it is, and returns the change or raises and changes nothing. A change
whose `after` equals its `before` is none: nothing is to be stored, and no revision used up.

    DRAFT -- start --> RUNNING -- pause --> PAUSED -- resume --> RUNNING
    RUNNING, PAUSED -- rollback --> ROLLED_BACK    everybody gets the control
    RUNNING, PAUSED -- conclude --> CONCLUDED      everybody gets the winner
    ROLLED_BACK, CONCLUDED -- start --> RUNNING    a new run: new salt, new slots
"""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct, structs

from understudy.server.domain.experiments import Epoch, Experiment, State
from understudy.server.errors import Reason, RefusedError, RequestError
from understudy.server.experiments.allowing import check_etag, check_state, check_update
from understudy.server.experiments.causes import clip, describe
from understudy.server.experiments.checking import FindGroup, check
from understudy.server.experiments.masks import apply_mask, read_mask
from understudy.server.routing.assignment import serving_slots
from understudy.server.routing.slots import allot, count_moved, reallot

# Whoever changes an experiment by a program opens thousands; the audit trail has them all.
MOST_EPOCHS: Final = 500

_LIVE: Final = (State.RUNNING, State.PAUSED)
_AT_REST: Final = (State.DRAFT, State.ROLLED_BACK, State.CONCLUDED)


class Moment(Struct, frozen=True):
    """The revision that a change makes, and when, in microseconds since 1970."""

    revision: int
    now: int


class Change(Struct, frozen=True):
    """What was done, for the store and the audit trail.

    `before` is `None` for what was created, `after` for what was deleted. `action` is the RPC's
    name; `moved` counts the basis points of keys that have another variant now.
    """

    action: str
    before: Experiment | None
    after: Experiment | None
    cause: str = ""
    moved: int = 0


def create(
    draft: Experiment, moment: Moment, *, find: FindGroup, others: Iterable[Experiment] = ()
) -> Change:
    """Create a draft. What only the server sets is not taken over."""
    if any(one.id == draft.id for one in others):
        raise RefusedError(
            Reason.EXPERIMENT_EXISTS,
            f"there is an experiment {draft.id!r} already",
            metadata={"experiment": draft.id},
        )
    after = Experiment(
        id=draft.id,
        title=draft.title,
        model_group=draft.model_group,
        variants=draft.variants,
        control=draft.control,
        assignment=structs.replace(draft.assignment, salt=""),
        mirror=draft.mirror,
        revision=moment.revision,
        created=moment.now,
        updated=moment.now,
    )
    check(after, find)
    return Change("CreateExperiment", None, after)


def register(
    draft: Experiment,
    moment: Moment,
    *,
    salt: str,
    find: FindGroup,
    others: Iterable[Experiment] = (),
    cause: str = "registered by a caller's split",
) -> Change:
    """Create an experiment that runs at once, so that no draft is left if the process dies."""
    others = tuple(others)
    after = create(draft, moment, find=find, others=others).after
    assert after is not None
    _check_free(after, others)
    return Change("CreateExperiment", None, _begin(after, moment, salt), cause)


def update(
    current: Experiment,
    wanted: Experiment,
    moment: Moment,
    *,
    etag: str,
    paths: Sequence[str],
    populated: Iterable[str],
    find: FindGroup,
) -> Change:
    """Change the fields in `paths`, or if that is empty those that are `populated`.

    Models, prompts, parameters, weights and the mirror may change while live, and open an epoch.
    """
    action = "UpdateExperiment"
    check_etag(current, etag)
    after = apply_mask(current, wanted, read_mask(paths, populated))
    if after == current:
        return Change(action, current, current)
    check_update(current, after)
    check(after, find, kept=_groups(current))
    moment = _follow(current, moment)
    cause = describe(current, after)
    if current.state.is_live:
        slots = reallot(current.slots, _weights(after))
        epochs = _open_epoch(_close_epoch(current, moment), after, moment, cause)
        after = structs.replace(after, slots=slots, epochs=epochs if cause else current.epochs)
    return _change(action, current, after, moment, cause)


def start(
    current: Experiment,
    moment: Moment,
    *,
    etag: str,
    salt: str,
    find: FindGroup,
    others: Iterable[Experiment],
) -> Change:
    """Begin a run. `salt` is random; the numbers of epochs go on from the run before."""
    action = "StartExperiment"
    check_etag(current, etag)
    check_state(current, action, _AT_REST)
    _check_free(current, others)
    check(current, find)
    moment = _follow(current, moment)
    after = _begin(current, moment, salt)
    return _change(action, current, after, moment, after.epochs[-1].cause)


def pause(current: Experiment, moment: Moment, *, etag: str) -> Change:
    """Hold the split: everybody stays where they are, and nothing is compared."""
    action = "PauseExperiment"
    check_etag(current, etag)
    check_state(current, action, (State.RUNNING,))
    after = structs.replace(current, state=State.PAUSED)
    return _change(action, current, after, _follow(current, moment))


def resume(current: Experiment, moment: Moment, *, etag: str) -> Change:
    """Go on comparing, in the same epoch."""
    action = "ResumeExperiment"
    check_etag(current, etag)
    check_state(current, action, (State.PAUSED,))
    after = structs.replace(current, state=State.RUNNING)
    return _change(action, current, after, _follow(current, moment))


def rollback(current: Experiment, moment: Moment, *, cause: str = "") -> Change:
    """Give everybody the control. Needs no etag; once rolled back, another one changes nothing."""
    action, cause = "RollbackExperiment", clip(cause)
    if current.state is State.ROLLED_BACK:
        return Change(action, current, current, cause)
    check_state(current, action, _LIVE)
    moment = _follow(current, moment)
    after = structs.replace(_end(current, moment), state=State.ROLLED_BACK)
    return _change(action, current, after, moment, cause)


def conclude(current: Experiment, moment: Moment, *, etag: str, winner: str) -> Change:
    """Give everybody the winner."""
    action = "ConcludeExperiment"
    check_etag(current, etag)
    check_state(current, action, _LIVE)
    if all(one.id != winner for one in current.variants):
        raise RequestError(
            f"winner is {winner[:128]!r}, which is no variant; there are "
            + ", ".join(repr(one.id) for one in current.variants),
            field="winner",
        )
    moment = _follow(current, moment)
    after = structs.replace(_end(current, moment), state=State.CONCLUDED, winner=winner)
    return _change(action, current, after, moment, f"{winner!r} won")


def delete(current: Experiment, moment: Moment, *, etag: str) -> Change:
    """Delete what is not live. Its group then answers for itself again."""
    action = "DeleteExperiment"
    check_etag(current, etag)
    check_state(current, action, _AT_REST)
    _follow(current, moment)
    return Change(action, current, None)


def _change(
    action: str, before: Experiment, after: Experiment, moment: Moment, cause: str = ""
) -> Change:
    after = structs.replace(after, revision=moment.revision, updated=moment.now)
    moved = count_moved(serving_slots(before), serving_slots(after))
    return Change(action, before, after, cause, moved)


def _follow(current: Experiment, moment: Moment) -> Moment:
    """Return the moment, no earlier than the last change: hosts' clocks differ, revisions don't."""
    if moment.revision <= current.revision:
        raise ValueError(f"revision {moment.revision} does not follow {current.revision}")
    return Moment(moment.revision, max(moment.now, current.updated))


def _begin(current: Experiment, moment: Moment, salt: str) -> Experiment:
    runs = current.runs + 1
    return structs.replace(
        current,
        assignment=structs.replace(current.assignment, salt=salt),
        state=State.RUNNING,
        epochs=_open_epoch(current.epochs, current, moment, f"run {runs} started"),
        slots=allot(_weights(current)),
        winner="",
        runs=runs,
        started=moment.now,
        ended=0,
    )


def _end(current: Experiment, moment: Moment) -> Experiment:
    return structs.replace(current, epochs=_close_epoch(current, moment), ended=moment.now)


def _open_epoch(
    epochs: tuple[Epoch, ...], after: Experiment, moment: Moment, cause: str
) -> tuple[Epoch, ...]:
    number = epochs[-1].number + 1 if epochs else 1
    epoch = Epoch(number, moment.revision, moment.now, _weights(after), cause=cause)
    return (*epochs, epoch)[-MOST_EPOCHS:]


def _close_epoch(current: Experiment, moment: Moment) -> tuple[Epoch, ...]:
    *past, last = current.epochs
    return (*past, structs.replace(last, ended=moment.now))


def _check_free(current: Experiment, others: Iterable[Experiment]) -> None:
    """Raise RefusedError with GROUP_TAKEN if another live experiment has the same group."""
    group = current.model_group
    for one in others:
        if group and one.model_group == group and one.state.is_live and one.id != current.id:
            raise RefusedError(
                Reason.GROUP_TAKEN,
                f"experiment {one.id!r} has taken over {group!r}; roll it back or conclude it "
                "first",
                metadata={"experiment": one.id, "modelGroup": group},
            )


def _weights(experiment: Experiment) -> dict[str, int]:
    return {one.id: one.weight for one in experiment.variants}


def _groups(experiment: Experiment) -> frozenset[str]:
    answering = {one.model_group for one in experiment.variants}
    return frozenset(
        {experiment.model_group} | answering | {one.model_group for one in experiment.mirror}
    )

"""Makes experiments for the tests of what may change in them."""

from collections.abc import Mapping

from msgspec import structs

from understudy.server.domain.deployment import ModelGroup
from understudy.server.domain.experiments import Experiment, Overrides, State, Variant
from understudy.server.experiments import changes
from understudy.server.experiments.changes import Change, Moment
from understudy.server.routing.groups import find_group

from ..routing.making import deployment, snapshot

LIVE = snapshot(
    deployment("one", group="gpt-4"),
    deployment("two", group="llama-2"),
    deployment("three", group="gpt-3.5-turbo"),
    aliases={"best": "gpt-4"},
)


def find(name: str) -> ModelGroup:
    return find_group(LIVE, name)


def draft(
    weights: Mapping[str, int] | None = None, *, id: str = "exp-1", model_group: str = ""
) -> Experiment:
    """Return what somebody wants to create: by default `a` and `b`, four to one."""
    weights = weights or {"a": 8000, "b": 2000}
    return Experiment(
        id=id,
        model_group=model_group,
        variants=tuple(
            Variant(name, "llama-2" if index else "gpt-4", weight)
            for index, (name, weight) in enumerate(weights.items())
        ),
        control=next(iter(weights)),
    )


def in_state(state: State, wanted: Experiment | None = None) -> Experiment:
    """Return an experiment that came to this state by the shortest way, at revision 10 to 13."""
    one = after(changes.create(wanted or draft(), Moment(10, 1000), find=find))
    if state is State.DRAFT:
        return one
    one = after(
        changes.start(one, Moment(11, 2000), etag=one.etag, salt="exp-1:7f3a", find=find, others=())
    )
    moment = Moment(12, 3000)
    match state:
        case State.PAUSED:
            return after(changes.pause(one, moment, etag=one.etag))
        case State.ROLLED_BACK:
            return after(changes.rollback(one, moment))
        case State.CONCLUDED:
            return after(changes.conclude(one, moment, etag=one.etag, winner="b"))
        case _:
            return one


def after(change: Change) -> Experiment:
    assert change.after is not None
    return change.after


def changed(current: Experiment, variant: str, **fields: object) -> Experiment:
    """Return the experiment with fields of one variant changed."""
    return structs.replace(
        current,
        variants=tuple(
            structs.replace(one, **fields) if one.id == variant else one for one in current.variants
        ),
    )


def weighed(current: Experiment, weights: Mapping[str, int]) -> Experiment:
    """Return the experiment with these variants, and their weights."""
    known = {one.id: one for one in current.variants}
    return structs.replace(
        current,
        variants=tuple(
            structs.replace(known.get(name, Variant(name, "gpt-4", 0, Overrides())), weight=weight)
            for name, weight in weights.items()
        ),
    )


def update(
    current: Experiment,
    wanted: Experiment,
    *paths: str,
    revision: int = 20,
    now: int = 5000,
) -> Change:
    return changes.update(
        current,
        wanted,
        Moment(revision, now),
        etag=current.etag,
        paths=paths or ("*",),
        populated=(),
        find=find,
    )

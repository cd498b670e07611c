"""Makes experiments and calls for the tests of pure parts."""

from collections.abc import Mapping

from msgspec import structs

from understudy.server.domain.chat import ChatCall, Message
from understudy.server.domain.experiments import (
    Assignment,
    Epoch,
    Experiment,
    KeyKind,
    State,
    Variant,
)
from understudy.server.domain.request import CompletionRequest, Target
from understudy.server.routing.slots import allot

SALT = "exp-1:7f3a"


def experiment(
    state: State = State.RUNNING,
    *,
    id: str = "exp-1",
    key: KeyKind = KeyKind.AUTO,
    metadata_key: str = "",
    weights: Mapping[str, int] | None = None,
) -> Experiment:
    """Return one of `control` and `new` that began its third epoch."""
    weights = weights or {"control": 8000, "new": 2000}
    made = Experiment(
        id=id,
        variants=tuple(Variant(name, f"{name}-model", weight) for name, weight in weights.items()),
        control=next(iter(weights)),
        assignment=Assignment(key, metadata_key),
    )
    if state is State.DRAFT:
        return made
    return structs.replace(
        made,
        assignment=structs.replace(made.assignment, salt=SALT),
        state=state,
        slots=allot(weights),
        epochs=(Epoch(3, 7, 0, weights),),
        winner=list(weights)[-1] if state is State.CONCLUDED else "",
        runs=1,
    )


def call(user: str = "", metadata: Mapping[str, str] | None = None) -> CompletionRequest:
    return CompletionRequest(
        Target(experiment="exp-1"),
        ChatCall((Message("user", content="hi"),), {}),
        60.0,
        user=user,
        metadata=metadata or {},
    )

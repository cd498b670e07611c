"""Finds the model group that a caller means. Pure; picking within it is `routing.attempts`.

A name that holds a URL means a group that is in no file; the snapshot says who makes it.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import groupby
from math import inf, isfinite

from understudy.server.domain.deployment import Deployment, ModelGroup, Snapshot, Tier
from understudy.server.errors import Reason, RequestError
from understudy.server.routing.weights import effective_weights, pick

LONGEST_NAME = 2048  # characters
_LONGEST_SHOWN = 256


def build_group(name: str, deployments: Iterable[Deployment]) -> ModelGroup:
    """Return the group of these deployments, lowest `order` first."""

    def order(one: Deployment) -> float:
        return inf if one.order is None else one.order

    tiers: list[Tier] = []
    for _, members in groupby(sorted(deployments, key=order), key=order):
        tier = tuple(members)
        tiers.append(Tier(tier, effective_weights(tier)))
    return ModelGroup(name, tuple(tiers))


def find_group(snapshot: Snapshot, name: str, field: str = "model") -> ModelGroup:
    """Return the group that goes by this name or alias, or that its URL means.

    Raises RequestError with MODEL_NOT_FOUND and the nearest name there is, or for what is no name,
    told of `field`; AccessError for a URL that callers may not name.
    """
    group = snapshot.groups.get(name) or snapshot.groups.get(snapshot.aliases.get(name, ""))
    if group is not None:
        return group
    if not name.isprintable():
        raise RequestError("the name of a model holds a control character", field=field)
    if len(name) > LONGEST_NAME:
        raise RequestError(
            f"the name of a model has at most {LONGEST_NAME} characters", field=field
        )
    if "://" in name and snapshot.named is not None:
        return snapshot.named(name)
    shown = name if len(name) <= _LONGEST_SHOWN else name[:_LONGEST_SHOWN] + "…"
    visible = [*snapshot.groups, *(snapshot.aliases.keys() - snapshot.hidden_aliases)]
    near = get_close_matches(shown, visible, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "ListModels names those there are"
    raise RequestError(
        f"no model group is named {shown!r}; {hint}",
        field=field,
        reason=Reason.MODEL_NOT_FOUND,
        metadata={"model": shown},
    )


def draw_group(snapshot: Snapshot, models: Mapping[str, float], ticket: float) -> ModelGroup:
    """Return the group that the ticket draws from relative weights.

    Every name is looked up, so that a misspelt one fails each call and not only its share.
    Raises RequestError for a weight that is negative or not finite, a sum of 0, an unknown name.
    """
    names = sorted(models)  # a map has no order on the wire; the same ticket draws the same group
    for name in names:
        if not (isfinite(models[name]) and models[name] >= 0):
            raise RequestError(
                f"the weight of {name!r} is {models[name]}; it must be finite and not negative",
                field=_entry(name),
            )
    groups = [find_group(snapshot, name, _entry(name)) for name in names]
    largest = max(models.values(), default=0.0)
    if largest <= 0:
        raise RequestError("the weights sum to 0, so nothing can be drawn", field="models")
    index = pick([models[name] / largest for name in names], ticket)
    assert index is not None  # some weight is above 0
    return groups[index]


def _entry(name: str) -> str:
    return f"models[{name[:_LONGEST_SHOWN]!r}]"

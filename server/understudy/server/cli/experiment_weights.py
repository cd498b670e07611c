"""Reads weights as people type them: `NAME=WEIGHT`, relative, a name being a variant's or a group's.

A group's name can be no id where it holds a URL; people go on calling it what it is called.
"""

from math import isnan, nan

import click
from msgspec import structs

from understudy.server.domain.experiments import Experiment
from understudy.server.errors import RequestError
from understudy.server.experiments.registering import from_split
from understudy.server.routing.slots import largest_remainder
from understudy.v1 import experiment_pb2 as pb


def read_weights(texts: tuple[str, ...]) -> dict[str, float]:
    """Return the weights by name, in the order given. Raises UsageError."""
    given: dict[str, float] = {}
    for one in texts:
        name, _, number = one.rpartition("=")
        try:
            weight = float(number)
        except ValueError:
            weight = nan
        if not name or isnan(weight):
            raise click.UsageError(f"{one!r} is not NAME=WEIGHT")
        if name in given:
            raise click.UsageError(f"{name} is there twice")
        given[name] = weight
    return given


def draft_split(experiment_id: str, weights: dict[str, float], control: str) -> Experiment:
    """Return a draft that splits between these groups, its variants in the order given."""
    try:
        draft = from_split(experiment_id, weights, control)
    except RequestError as error:
        raise click.UsageError(error.message) from error
    order = list(weights)
    variants = sorted(draft.variants, key=lambda one: order.index(one.model_group))
    return structs.replace(draft, variants=tuple(variants))


def read_points(current: pb.Experiment, weights: dict[str, float]) -> dict[str, int]:
    """Return basis points by variant for an experiment that is there. Raises UsageError."""
    known = [one.id for one in current.variants]
    by_id: dict[str, float] = {}
    for name, weight in weights.items():
        found = _find(current, name)
        if found is None:
            raise click.UsageError(f"no variant is called {name}; there are {', '.join(known)}")
        if found in by_id:
            raise click.UsageError(f"{found} is there twice")
        by_id[found] = weight
    if missing := [one for one in known if one not in by_id]:
        raise click.UsageError(f"say the weight of {', '.join(missing)} too; 0 is one")
    try:
        return largest_remainder(by_id)
    except RequestError as error:
        raise click.UsageError(error.message) from error


def _find(current: pb.Experiment, name: str) -> str | None:
    ids = [one.id for one in current.variants if one.id == name]
    ids = ids or [one.id for one in current.variants if one.model_group == name]
    return ids[0] if len(ids) == 1 else None

"""Makes an experiment of the weights that a caller sent with an id nobody has used yet. Pure.

Whether callers may do that is the operator's to say; creating and starting it is `changes`.
"""

import re
from collections.abc import Mapping

from understudy.server.domain.experiments import Experiment, Variant
from understudy.server.errors import RequestError
from understudy.server.experiments.checking import ID, MOST_VARIANTS, FindGroup
from understudy.server.routing.slots import largest_remainder

_LONGEST = 128
_NOT_IN_ID = re.compile(r"[^A-Za-z0-9._-]+")


def from_split(experiment_id: str, models: Mapping[str, float], control: str = "") -> Experiment:
    """Return a draft whose variants are these model groups, by name, and called after them.

    Weights become basis points by largest remainder. The control is the group named, else the
    heaviest, ties by name. Raises RequestError for weights that are none, and a control that is
    not among the models.
    """
    if len(models) > MOST_VARIANTS:
        raise RequestError(
            f"an experiment has at most {MOST_VARIANTS} variants; models has {len(models)}",
            field="models",
        )
    if len(models) < 2:
        raise RequestError(
            "an experiment compares at least two models; give the other the weight 0 if it shall "
            "get nothing yet",
            field="models",
        )
    if control and control not in models:
        raise RequestError(f"control is {control[:256]!r}, which is not in models", field="control")
    weights = largest_remainder(models)
    names = sorted(models)  # a map has no order on the wire
    heaviest = control or min(names, key=lambda name: (-models[name], name), default="")
    ids = _name_variants(names)
    return Experiment(
        id=experiment_id,
        variants=tuple(Variant(ids[name], name, weights[name]) for name in names),
        control=ids[heaviest],
    )


def check_groups(models: Mapping[str, float], find: FindGroup) -> None:
    """Raise what `find` raises for a name that is none, by its place in the caller's call."""
    for name in sorted(models):
        try:
            find(name)
        except RequestError as error:
            field = f"models[{name[:_LONGEST]!r}]"
            labels = {**error.metadata, "field": field}
            raise RequestError(
                error.message, field=field, reason=error.reason, metadata=labels
            ) from None


def _name_variants(groups: list[str]) -> dict[str, str]:
    """Return an id for each group: its name, or what is left of it where that is no id."""
    ids = {group: group for group in groups if ID.fullmatch(group)}
    taken = set(ids)
    for group in groups:
        if group in ids:
            continue
        stem = _NOT_IN_ID.sub("-", group).lstrip("._-")[:_LONGEST].rstrip("-") or "variant"
        name, number = stem, 1
        while name in taken:
            number += 1
            name = f"{stem[: _LONGEST - len(str(number)) - 1]}-{number}"
        ids[group] = name
        taken.add(name)
    return ids

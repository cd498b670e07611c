"""Joins two people's edits of one experiment, made from the same beginning. Pure.

What only one of them changed is as that one wants it. Where both did, the later one's stands, who
is shown the other's before it is stored.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from msgspec import structs

from understudy.server.domain.experiments import Experiment, Overrides, Variant

T = TypeVar("T")

_WHOLE: Final = ("title", "model_group", "control", "mirror")


def merge(base: Experiment, mine: Experiment, theirs: Experiment) -> Experiment:
    """Return theirs with what I changed since the base."""
    changes: Mapping[str, object] = {
        name: _choose(getattr(base, name), getattr(mine, name), getattr(theirs, name))
        for name in _WHOLE
    }
    key = _choose(_assignment(base), _assignment(mine), _assignment(theirs))
    return structs.replace(
        theirs,
        variants=_merge_variants(base, mine, theirs),
        assignment=structs.replace(theirs.assignment, key=key[0], metadata_key=key[1]),
        **changes,
    )


def _merge_variants(base: Experiment, mine: Experiment, theirs: Experiment) -> tuple[Variant, ...]:
    ids = [{one.id for one in each.variants} for each in (base, mine, theirs)]
    if ids[0] != ids[1] or ids[0] != ids[2]:
        # Which variants there are is one decision.
        return _choose(base.variants, mine.variants, theirs.variants)
    # So is the split: halves of two of them add up to neither.
    weighing = _choose_of(base, mine, theirs, _weights)
    return tuple(
        _merge_variant(
            base.variant(one.id), mine.variant(one.id), one, weighing.variant(one.id).weight
        )
        for one in theirs.variants
    )


def _merge_variant(base: Variant, mine: Variant, theirs: Variant, weight: int) -> Variant:
    overrides = Overrides(
        *(
            _choose(getattr(base.overrides, name), getattr(mine.overrides, name),
                    getattr(theirs.overrides, name))
            for name in Overrides.__struct_fields__
        )
    )  # fmt: skip
    group = _choose(base.model_group, mine.model_group, theirs.model_group)
    return Variant(theirs.id, group, weight, overrides)


def _choose(base: T, mine: T, theirs: T) -> T:
    return theirs if mine == base else mine


def _choose_of(
    base: Experiment, mine: Experiment, theirs: Experiment, of: Callable[[Experiment], object]
) -> Experiment:
    return theirs if of(mine) == of(base) else mine


def _weights(experiment: Experiment) -> dict[str, int]:
    return {one.id: one.weight for one in experiment.variants}


def _assignment(experiment: Experiment) -> tuple[object, str]:
    return experiment.assignment.key, experiment.assignment.metadata_key

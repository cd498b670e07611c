"""Whether variants got the shares that the weights gave them: sticky keys counted once, not calls.

A key's variant is drawn once in a run, so over all epochs it counts in the one in which it first
called, by the weights of that time. Calls without a key are drawn one by one.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from msgspec import Struct

from understudy.server.domain.estimates import Insufficient
from understudy.server.domain.reports import EpochFacts, ExperimentFacts
from understudy.server.evaluation.sample_ratio import Epoch, SampleRatio, check
from understudy.server.reporting.calls import Calls
from understudy.server.reporting.columns import Codes, Flags, distinct


class Allotment(Struct, frozen=True):
    """What was found, by epoch, and what each variant's place in the counts is."""

    found: SampleRatio | Insufficient
    variants: tuple[str, ...]


def check_allotments(
    calls: Calls, compared: Flags, experiment: ExperimentFacts
) -> Mapping[int, Allotment]:
    """Return the check of each epoch whose weights are known, and of all of them as epoch 0.

    `compared` are the calls that take part.
    """
    known = {one.number: one for one in experiment.epochs}
    if not known:
        return {}
    variants = _name_variants(calls, known.values())
    places = np.array([variants.index(name) for name in calls.variants], dtype=np.int64)
    rows = np.flatnonzero(compared & np.isin(calls.epoch, list(known)))
    epoch, key = calls.epoch[rows], calls.key[rows]
    variant = places[calls.variant[rows]] if len(rows) else np.empty(0, dtype=np.int64)
    numbers = distinct(epoch)
    by_epoch = {
        number: _count(variant[held], _firsts(key[held]), len(variants))
        for number in numbers
        for held in [epoch == number]
    }
    found = {
        number: check([_epoch(counts, known[number], variants)])
        for number, counts in by_epoch.items()
    }
    first = _firsts(key)
    found[0] = check(
        [
            _epoch(_count(variant[held], first[held], len(variants)), known[number], variants)
            for number in numbers
            for held in [epoch == number]
        ]
        or [Epoch((0,) * len(variants), (1.0,) * len(variants))]
    )
    return {number: Allotment(one, variants) for number, one in found.items()}


def _name_variants(calls: Calls, epochs: Iterable[EpochFacts]) -> tuple[str, ...]:
    named = (name for epoch in epochs for name in epoch.weights)
    return tuple(dict.fromkeys((*named, *calls.variants)))


def _firsts(key: np.ndarray[tuple[int, ...], np.dtype[np.uint64]]) -> Flags:
    """Return which calls are the first of their key, or have none. They are in order of time."""
    held: Flags = key == 0
    _, places = np.unique(key, return_index=True)
    held[places] = True
    return held


def _count(variant: Codes, counted: Flags, most: int) -> tuple[int, ...]:
    return tuple(np.bincount(variant[counted], minlength=most).tolist())


def _epoch(counts: Sequence[int], facts: EpochFacts, variants: tuple[str, ...]) -> Epoch:
    weights = tuple(float(facts.weights.get(name, 0)) for name in variants)
    return Epoch(tuple(counts), weights if sum(weights) > 0 else (1.0,) * len(variants))

"""Combines epochs: what changes with time must not look like a difference between variants. Pure.

Where a variant's share grew from one epoch to the next, it has more of the later calls than the
control; so calls are weighted until both arms have the same part of each epoch. Without that, a
provider's slow week counts against whoever had more traffic in it.
"""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from understudy.server.domain.reports import EpochFacts
from understudy.server.reporting.columns import Codes, Flags, Floats, distinct

Factors: TypeAlias = Mapping[int, tuple[float, float]]
"""By epoch, what a call of the control weighs, and one of the other variant."""


def find_factors(epoch: Codes, is_control: Flags, is_subject: Flags) -> Factors:
    """Return what calls weigh, so that both arms weigh as much in each epoch as both together.

    An epoch with calls of one arm only is not among them.
    """
    found: dict[int, tuple[float, float]] = {}
    for number in distinct(epoch[is_control | is_subject]):
        within = epoch == number
        control, subject = (int((within & arm).sum()) for arm in (is_control, is_subject))
        if control and subject:
            both = control + subject
            found[number] = both / control, both / subject
    return found


def weigh(epoch: Codes, factors: Factors, arm: int) -> Floats:
    """Return what each call of an arm weighs, 0 for the control's; 0 of an epoch without factors."""
    weights = np.zeros(len(epoch))
    for number, both in factors.items():
        weights[epoch == number] = both[arm]
    return weights


def has_same_shares(
    numbers: set[int], epochs: Mapping[int, EpochFacts], control: str, subject: str
) -> bool:
    """Return whether two variants had the same shares beside each other in all these epochs."""
    if len(numbers) < 2:
        return True
    if not numbers <= epochs.keys():
        return False
    held = [epochs[number].weights for number in numbers]
    base, other = held[0].get(control, 0), held[0].get(subject, 0)
    return all(one.get(control, 0) * other == one.get(subject, 0) * base for one in held)

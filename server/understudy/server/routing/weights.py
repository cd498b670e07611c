"""Turns what a file says of weights into shares, and a ticket into a pick. Pure.

The rules are LiteLLM's simple-shuffle, less its surprises: a negative weight never gets here, and
a deployment whose weight is 0 gets nothing, ever.
"""

from collections.abc import Sequence
from itertools import accumulate

from understudy.server.domain.deployment import Deployment


def effective_weights(deployments: Sequence[Deployment]) -> tuple[float, ...]:
    """Return the weight of each deployment, summing to 1, or all 0 if the group serves nothing.

    `weight` counts if any deployment has it above 0, else `rpm`, else `tpm`; a missing value
    beside given ones is 0. If none counts the deployments share alike, but for those whose weight
    is 0 by the operator's word.
    """
    raw: list[float] = [1.0] * len(deployments)
    for metric in ("weight", "rpm", "tpm"):
        given: list[float] = [getattr(one, metric) or 0.0 for one in deployments]
        if any(value > 0 for value in given):
            raw = given
            break
    raw = [0.0 if one.weight == 0 else value for one, value in zip(deployments, raw, strict=True)]
    # Dividing by the largest first keeps a sum of huge weights finite.
    largest = max(raw, default=0.0)
    if largest == 0:
        return tuple(0.0 for _ in raw)
    scaled = [value / largest for value in raw]
    total = sum(scaled)
    return tuple(value / total for value in scaled)


def pick(weights: Sequence[float], ticket: float) -> int | None:
    """Return the index whose slice of [0, 1) the ticket falls in, or None if all weights are 0.

    Weights are relative, finite and >= 0; an index of weight 0 is never returned.
    """
    bounds = list(accumulate(weights))
    if not bounds or bounds[-1] <= 0:
        return None
    mark = ticket * bounds[-1]
    for index, bound in enumerate(bounds):
        if mark < bound:
            return index
    # Rounding may leave a ticket just below 1 at the very end: it belongs to the last real slice.
    return max(index for index, weight in enumerate(weights) if weight > 0)

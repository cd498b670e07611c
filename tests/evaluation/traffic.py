"""Calls drawn from known laws: skewed latencies, and few sticky keys that send most requests.

Besides, how often chance may say that two draws of one law differ.
"""

import math
from random import Random
from typing import TypeAlias

import pytest
from scipy.stats import binom

from understudy.server.evaluation.proportions import Share

Keys: TypeAlias = list[list[float]]

RUNS = [400, pytest.param(2_000, marks=pytest.mark.proof)]


def most(runs: int, rate: float = 0.05) -> int:
    """How many false alarms chance brings at this rate, but for one time in a thousand."""
    return int(binom.isf(0.001, runs, rate))


def latency(draw: Random) -> float:
    return draw.lognormvariate(13.5, 0.8)  # microseconds, with a median of 0.7 s


def latencies(draw: Random, n: int) -> list[float]:
    return [latency(draw) for _ in range(n)]


def sticky(draw: Random, keys: int = 100, alike: float = 0.6) -> Keys:
    """Latencies by key: few callers send many requests, and each has its own kind of prompt."""
    found: Keys = []
    for _ in range(keys):
        kind = draw.gauss(0, alike)
        size = min(60, int(draw.paretovariate(1.2)))
        found.append([latency(draw) * math.exp(kind) for _ in range(size)])
    return found


def failures(draw: Random, keys: int = 150) -> list[tuple[int, int]]:
    """Each key's requests and how many failed: some callers' prompts fail often, most never."""
    found: list[tuple[int, int]] = []
    for _ in range(keys):
        size, chance = min(60, int(draw.paretovariate(1.2))), draw.betavariate(0.3, 2.7)
        found.append((size, sum(draw.random() < chance for _ in range(size))))
    return found


def hits(draw: Random, n: int, chance: float) -> Share:
    return Share(sum(draw.random() < chance for _ in range(n)), n)

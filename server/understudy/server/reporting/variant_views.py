"""One variant beside the control, in one epoch or all: what each figure is computed from."""

from collections.abc import Mapping

import numpy as np
from msgspec import Struct

from understudy.server.domain.reports import ExperimentFacts
from understudy.server.reporting.allotment import Allotment
from understudy.server.reporting.arms import Arm
from understudy.server.reporting.calls import Calls
from understudy.server.reporting.columns import Flags, Floats, distinct
from understudy.server.reporting.combining import Factors, find_factors, has_same_shares, weigh
from understudy.server.reporting.endings import End
from understudy.server.reporting.feedback import Feedback
from understudy.server.reporting.rents import Rents

COMBINED = 0  # stands for all epochs


class Background(Struct, frozen=True):
    """What holds for a whole report: the span of its window in microseconds, and more.

    `compared` are the calls that take part.
    """

    experiment: ExperimentFacts
    span: int
    rents: Rents
    compared: Flags
    allotments: Mapping[int, Allotment]
    feedback: Feedback


class Part(Struct, frozen=True):
    """A part of the calls: of an epoch, or of all, and of a value of the breakdown."""

    epoch: int
    label: str
    held: Flags


class VariantView:
    """The calls of a part that got the control, and those that got one other variant."""

    def __init__(self, calls: Calls, part: Part, subject: str, background: Background) -> None:
        self.calls = calls
        self.part = part
        self.subject = subject
        self.control = background.experiment.control
        self.background = background
        self.left_out = 0
        self.is_control, self.is_subject = self._find(self.control), self._find(subject)
        self._has_keys = bool((calls.key[self.both] != 0).any())
        numbers = set(distinct(calls.epoch[self.both]))
        epochs = {one.number: one for one in background.experiment.epochs}
        self._factors: Factors | None = None
        if not has_same_shares(numbers, epochs, self.control, subject):
            self._weigh()

    @property
    def both(self) -> Flags:
        """The calls of both arms."""
        return self.is_control | self.is_subject

    @property
    def is_weighted(self) -> bool:
        """Whether shares changed between epochs."""
        return self._factors is not None

    def answered(self, name: str) -> tuple[Arm, Arm]:
        """Return both arms' values, of calls that were answered."""
        return self.arms(self.calls.numbers[name], self.calls.end == End.ANSWERED)

    def arms(self, values: Floats, held: Flags) -> tuple[Arm, Arm]:
        """Return both arms' values, of the calls that are held."""
        return (
            self._arm(values, self.is_control & held, 0),
            self._arm(values, self.is_subject & held, 1),
        )

    def opinions(self, metric: int) -> tuple[Arm, Arm]:
        """Return what was said of both arms' answers, by the place of a metric in `feedback`."""
        return self._said(metric, self.control, 0), self._said(metric, self.subject, 1)

    def rented(self, held: Flags) -> list[str]:
        """Return the endpoints that are rented, for a rent that is known, of some calls."""
        places = distinct(self.calls.renter[held])
        names = (self.calls.rented[place] for place in places if place >= 0)
        return [name for name in names if name in self.background.rents.held]

    def _find(self, variant: str) -> Flags:
        if variant not in self.calls.variants:
            return np.zeros(len(self.calls.variant), dtype=np.bool_)
        place = self.calls.variants.index(variant)
        found: Flags = self.part.held & (self.calls.variant == place)
        return found

    def _weigh(self) -> None:
        epoch = self.calls.epoch
        self._factors = find_factors(epoch, self.is_control, self.is_subject)
        before = int(self.both.sum())
        weighs = np.isin(epoch, list(self._factors))
        self.is_control, self.is_subject = self.is_control & weighs, self.is_subject & weighs
        self.left_out = before - int(self.both.sum())

    def _arm(self, values: Floats, held: Flags, arm: int) -> Arm:
        weights = None
        if self._factors is not None:
            weights = weigh(self.calls.epoch[held], self._factors, arm)
        return Arm(values[held], self.calls.key[held] if self._has_keys else None, weights)

    def _said(self, metric: int, variant: str, arm: int) -> Arm:
        feedback = self.background.feedback
        held = feedback.held(variant, self.part.epoch, self.part.label)
        held &= feedback.metric == metric
        weights = None
        if self._factors is not None:
            held &= np.isin(feedback.epoch, list(self._factors))
            weights = weigh(feedback.epoch[held], self._factors, arm)
        return Arm(feedback.number[held], feedback.key[held] if self._has_keys else None, weights)

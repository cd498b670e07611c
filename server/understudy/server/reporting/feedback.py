"""Gathers what callers said of an experiment's answers, as columns."""

import re
from collections.abc import Iterator

import numpy as np
from msgspec import Struct
from sqlalchemy import Engine

from understudy.server.domain.figures import OTHER
from understudy.server.records.feedback import BOOLEAN
from understudy.server.records.observations import Window
from understudy.server.records.observed_feedback import read_opinions
from understudy.server.reporting.columns import Codes, Column, Flags, Floats, Keys, read_key
from understudy.server.reporting.labels import Labels, keep_largest

_NO_NAME = re.compile(r"[^a-z0-9]+")


class Feedback(Struct, frozen=True):
    """Opinions as columns. `metric` holds places in `metrics`, `variant` and `label` likewise.

    A metric's name is made of lower-case letters, digits and `_`, and says `_rate` of yes and no,
    `_mean` of numbers.
    """

    metric: Codes
    metrics: tuple[str, ...]
    variant: Codes
    variants: tuple[str, ...]
    label: Codes
    labels: tuple[str, ...]
    epoch: Codes
    key: Keys
    number: Floats

    def held(self, variant: str, epoch: int, label: str) -> Flags:
        """Return which are of a variant, in an epoch or in any if that is 0, with a label."""
        found: Flags = self.variant == _place(self.variants, variant)
        found &= self.label == _place(self.labels, label)
        return found & (self.epoch == epoch) if epoch else found


def gather_feedback(
    engine: Engine, experiment: str, window: Window, group_by: str, shown: tuple[str, ...]
) -> Feedback:
    """Return all opinions within a window. `shown` are the labels that calls are told apart by."""
    metric, variant, label = Labels(), Labels(), Labels()
    epoch, number = Column(), Column()
    keys: list[Keys] = []
    for chunk in read_opinions(engine, experiment, window, group_by):
        said = zip(chunk.metric, chunk.kind, strict=True)
        metric.extend(name_metric(name, kind == BOOLEAN) for name, kind in said)
        variant.extend(chunk.variant)
        label.extend(_show(chunk.label, shown))
        epoch.extend(chunk.epoch)
        number.extend(chunk.number)
        keys.append(np.array([read_key(one or "") for one in chunk.key_hash], dtype=np.uint64))
    metrics = metric.take()
    names = keep_largest(metrics, metric.names)
    return Feedback(
        metric=metrics,
        metrics=tuple(names),
        variant=variant.take(),
        variants=variant.names,
        label=label.take(),
        labels=label.names,
        epoch=epoch.take().astype(np.int64),
        key=np.concatenate(keys) if keys else np.empty(0, dtype=np.uint64),
        number=number.take(),
    )


def name_metric(name: str, is_boolean: bool) -> str:
    """Return what the figure of a caller's metric is called."""
    plain = _NO_NAME.sub("_", name.lower()).strip("_") or "unnamed"
    return f"feedback_{plain}_{'rate' if is_boolean else 'mean'}"


def _show(labels: tuple[str | None, ...], shown: tuple[str, ...]) -> Iterator[str]:
    for one in labels:
        yield (one or "") if (one or "") in shown else OTHER


def _place(names: tuple[str, ...], name: str) -> int:
    return names.index(name) if name in names else -2

"""What a report has to know besides what is recorded, out of the configuration in use. Pure."""

import re
from collections.abc import Iterator
from typing import Final

from understudy.server.domain.costs import PerHour
from understudy.server.domain.deployment import Snapshot
from understudy.server.domain.experiments import Epoch, Experiment
from understudy.server.domain.reports import EpochFacts, ExperimentFacts, Facts, Question
from understudy.server.pricing.tariffs import find_tariff

EXPERIMENTS: Final = "experiments/"

_STARTED: Final = re.compile(r"run [0-9]+ started")


def gather(snapshot: Snapshot, question: Question, now: int) -> Facts:
    """Return the facts as of an instant, in microseconds since 1970."""
    asked = None
    if question.parent.startswith(EXPERIMENTS):
        asked = snapshot.experiments.get(question.parent.removeprefix(EXPERIMENTS))
    return Facts(
        rents=dict(_find_rents(snapshot, now)),
        groups=tuple(snapshot.groups),
        experiment=None if asked is None else _describe(asked),
    )


def _find_rents(snapshot: Snapshot, now: int) -> Iterator[tuple[str, int]]:
    for group in snapshot.groups.values():
        for one in group.deployments:
            if one.price is not None:
                tariff = find_tariff(one.price, now)
                if isinstance(tariff, PerHour):
                    yield one.id, tariff.nano_usd


def _describe(experiment: Experiment) -> ExperimentFacts:
    return ExperimentFacts(
        id=experiment.id,
        control=experiment.control,
        variants=tuple(one.id for one in experiment.variants),
        epochs=tuple(_describe_epochs(experiment)),
    )


def _describe_epochs(experiment: Experiment) -> Iterator[EpochFacts]:
    # The oldest may be forgotten; the last is of the last run.
    run = experiment.runs - sum(map(_begins_run, experiment.epochs[1:]))
    for index, one in enumerate(experiment.epochs):
        run += index > 0 and _begins_run(one)
        yield EpochFacts(number=one.number, run=run, weights=one.weights)


def _begins_run(epoch: Epoch) -> bool:
    return _STARTED.fullmatch(epoch.cause) is not None

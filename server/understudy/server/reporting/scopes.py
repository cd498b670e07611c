"""Reads what a report is asked for. A fault says what to write instead."""

from typing import Final

from msgspec import Struct

from understudy.server.domain.record_queries import METADATA
from understudy.server.domain.reports import Breakdown, Facts, Question
from understudy.server.errors import Reason, RequestError

_SILENT_MODELS: Final = "silentModels/"
_EXPERIMENTS: Final = "experiments/"


class SilentScope(Struct, frozen=True):
    """A silent model, by its model group."""

    group: str


class ExperimentScope(Struct, frozen=True):
    """An experiment, by its id."""

    id: str


Scope = SilentScope | ExperimentScope


def read_scope(question: Question, facts: Facts) -> Scope:
    """Return what a question is about. Raises RequestError, which names the field."""
    _check_breakdown(question.group_by)
    if question.start is not None and question.end is not None and question.start >= question.end:
        raise RequestError("end_time must be after start_time", field="end_time")
    parent = question.parent
    if parent.startswith(_SILENT_MODELS) and parent != _SILENT_MODELS:
        return SilentScope(parent.removeprefix(_SILENT_MODELS))
    if not parent.startswith(_EXPERIMENTS) or parent == _EXPERIMENTS:
        raise RequestError(
            f"parent {parent!r} is nothing that reports are made of; write experiments/ID, or "
            "silentModels/GROUP with the model group of the silent model",
            field="parent",
        )
    name = parent.removeprefix(_EXPERIMENTS)
    if facts.experiment is None or facts.experiment.id != name:
        raise RequestError(
            f"no experiment is named {name!r}",
            field="parent",
            reason=Reason.EXPERIMENT_NOT_FOUND,
            metadata={"experiment": name},
        )
    return ExperimentScope(name)


def _check_breakdown(group_by: str) -> None:
    if group_by in tuple(Breakdown):
        return
    if group_by.startswith(METADATA) and group_by != METADATA:
        return
    raise RequestError(
        f"group_by {group_by!r} is nothing that figures are broken down by; leave it empty, or "
        "write variant, caller, or metadata.KEY with the label's name",
        field="group_by",
    )

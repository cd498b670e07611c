"""Reads experiments off the wire into values. What they may be is `experiments.checking`'s."""

from math import isfinite
from typing import Final

from understudy.server.domain.experiments import (
    Assignment,
    Experiment,
    KeyKind,
    MirrorPart,
    Overrides,
    Variant,
)
from understudy.server.errors import RequestError
from understudy.server.servicers.read_json import read_members
from understudy.v1 import experiment_pb2

PREFIX: Final = "experiments/"
_KEYS: Final = {
    experiment_pb2.Assignment.KEY_UNSPECIFIED: KeyKind.AUTO,
    experiment_pb2.Assignment.KEY_USER: KeyKind.USER,
    experiment_pb2.Assignment.KEY_METADATA: KeyKind.METADATA,
    experiment_pb2.Assignment.KEY_REQUEST: KeyKind.REQUEST,
}


def read_name(name: str, field: str = "name") -> str:
    """Return the id in `experiments/{id}`. Raises RequestError if it is none."""
    experiment_id = name.removeprefix(PREFIX)
    if not name.startswith(PREFIX) or not experiment_id or "/" in experiment_id:
        raise RequestError(f"{field} is {PREFIX} and an experiment's id", field=field)
    return experiment_id


def read_experiment(wire: experiment_pb2.Experiment, experiment_id: str) -> Experiment:
    """Return what a caller says of an experiment. Raises RequestError for what has no meaning."""
    return Experiment(
        id=experiment_id,
        title=wire.title,
        model_group=wire.model_group,
        variants=tuple(
            _read_variant(one, f"experiment.variants[{index}]")
            for index, one in enumerate(wire.variants)
        ),
        control=wire.control,
        assignment=_read_assignment(wire.assignment),
        mirror=tuple(
            _read_part(one, f"experiment.mirror[{index}]") for index, one in enumerate(wire.mirror)
        ),
    )


def read_populated(wire: experiment_pb2.Experiment) -> tuple[str, ...]:
    """Return the fields that are set."""
    return tuple(field.name for field, _ in wire.ListFields())


def _read_variant(wire: experiment_pb2.Variant, field: str) -> Variant:
    return Variant(
        wire.id,
        wire.model_group,
        wire.weight,
        _read_overrides(wire.overrides, f"{field}.overrides"),
    )


def _read_assignment(wire: experiment_pb2.Assignment) -> Assignment:
    if wire.key not in _KEYS:
        raise RequestError(f"{wire.key} is no key to assign by", field="experiment.assignment.key")
    return Assignment(_KEYS[wire.key], wire.metadata_key)


def _read_part(wire: experiment_pb2.SilentModel, field: str) -> MirrorPart:
    timeout: float | None = None
    if wire.HasField("timeout"):
        timeout = wire.timeout.seconds + wire.timeout.nanos / 1e9
    return MirrorPart(
        wire.model_group,
        wire.fraction if wire.HasField("fraction") else 1.0,
        timeout,
        _read_overrides(wire.overrides, f"{field}.overrides"),
    )


def _read_overrides(wire: experiment_pb2.Overrides, field: str) -> Overrides:
    for name in ("temperature", "top_p"):
        if wire.HasField(name) and not isfinite(getattr(wire, name)):
            raise RequestError(f"{name} is no number", field=f"{field}.{name}")
    return Overrides(
        wire.system_prompt if wire.HasField("system_prompt") else None,
        wire.temperature if wire.HasField("temperature") else None,
        wire.max_tokens if wire.HasField("max_tokens") else None,
        wire.top_p if wire.HasField("top_p") else None,
        read_members(wire.params_json, f"{field}.params_json") if wire.params_json else {},
    )

"""Writes experiments and their audit entries as messages."""

from typing import Final

import msgspec
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToJson
from google.protobuf.timestamp_pb2 import Timestamp

from understudy.server.domain.experiments import (
    Assignment,
    AuditEntry,
    Epoch,
    Experiment,
    KeyKind,
    MirrorPart,
    Overrides,
    Variant,
)
from understudy.server.servicers.read_experiment import PREFIX
from understudy.v1 import experiment_pb2

_KEYS: Final = {
    KeyKind.AUTO: experiment_pb2.Assignment.KEY_UNSPECIFIED,
    KeyKind.USER: experiment_pb2.Assignment.KEY_USER,
    KeyKind.METADATA: experiment_pb2.Assignment.KEY_METADATA,
    KeyKind.REQUEST: experiment_pb2.Assignment.KEY_REQUEST,
}
_STORED = msgspec.json.Decoder(Experiment)


def write_experiment(experiment: Experiment) -> experiment_pb2.Experiment:
    """Return an experiment as a message."""
    return experiment_pb2.Experiment(
        name=PREFIX + experiment.id,
        title=experiment.title,
        model_group=experiment.model_group,
        variants=map(_write_variant, experiment.variants),
        control=experiment.control,
        assignment=_write_assignment(experiment.assignment),
        mirror=map(_write_part, experiment.mirror),
        state=experiment_pb2.Experiment.State.Value(f"STATE_{experiment.state}"),
        revision=experiment.revision,
        etag=experiment.etag,
        epochs=map(_write_epoch, experiment.epochs),
        winner=experiment.winner,
        create_time=_instant(experiment.created),
        update_time=_instant(experiment.updated),
        start_time=_instant(experiment.started),
        end_time=_instant(experiment.ended),
    )


def write_entry(entry: AuditEntry) -> experiment_pb2.AuditEntry:
    """Return an audit entry as a message; experiments in it read as they do everywhere."""
    return experiment_pb2.AuditEntry(
        name=f"{PREFIX}{entry.experiment}/auditEntries/{entry.seq}",
        create_time=_instant(entry.instant),
        actor=entry.actor,
        action=entry.action,
        revision=entry.revision,
        before_json=_write_json(entry.before),
        after_json=_write_json(entry.after),
        cause=entry.cause,
    )


def _write_json(stored: str) -> str:
    if not stored:
        return ""
    message = write_experiment(_STORED.decode(stored))
    return MessageToJson(message, preserving_proto_field_name=True, indent=None)


def _write_variant(variant: Variant) -> experiment_pb2.Variant:
    return experiment_pb2.Variant(
        id=variant.id,
        model_group=variant.model_group,
        weight=variant.weight,
        overrides=_write_overrides(variant.overrides),
    )


def _write_assignment(assignment: Assignment) -> experiment_pb2.Assignment:
    return experiment_pb2.Assignment(
        key=_KEYS[assignment.key],
        metadata_key=assignment.metadata_key,
        salt=assignment.salt,
    )


def _write_part(part: MirrorPart) -> experiment_pb2.SilentModel:
    timeout: Duration | None = None
    if part.timeout is not None:
        timeout = Duration()
        timeout.FromMicroseconds(round(part.timeout * 1e6))
    return experiment_pb2.SilentModel(
        model_group=part.model_group,
        fraction=part.fraction,
        timeout=timeout,
        overrides=_write_overrides(part.overrides),
    )


def _write_overrides(overrides: Overrides) -> experiment_pb2.Overrides | None:
    if overrides == Overrides():
        return None
    return experiment_pb2.Overrides(
        system_prompt=overrides.system_prompt,
        temperature=overrides.temperature,
        max_tokens=overrides.max_tokens,
        top_p=overrides.top_p,
        params_json=msgspec.json.encode(overrides.params).decode() if overrides.params else "",
    )


def _write_epoch(epoch: Epoch) -> experiment_pb2.Epoch:
    return experiment_pb2.Epoch(
        number=epoch.number,
        revision=epoch.revision,
        start_time=_instant(epoch.started),
        end_time=_instant(epoch.ended or 0),
        cause=epoch.cause,
    )


def _instant(microseconds: int) -> Timestamp | None:
    if not microseconds:
        return None
    stamp = Timestamp()
    stamp.FromMicroseconds(microseconds)
    return stamp

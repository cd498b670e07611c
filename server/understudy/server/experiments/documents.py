"""Experiments as people write them, in a file or below `understudy.experiments.seeds`. Pure.

    experiment: my-unique-id
    model_group: gpt-4                 # that it takes over; left out: reached by its id alone
    control: gpt-4                     # left out: the heaviest
    variants:
      gpt-4: 80                        # relative weights; the group has the variant's name
      short: {weight: 20, model_group: gpt-4, system_prompt: Be brief., temperature: 0.2}
    assignment: user                   # user | request | metadata.KEY; left out: see below
    mirror: [llama-2, {model_group: gpt-5, fraction: 0.25, timeout: 30}]
    state: running                     # what `apply` shall bring it to; left out: as it is

Left out, `assignment` is the user where a call has one, else each request by itself. Whether an
experiment may be as it is written is `checking`'s to say.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from understudy.server.domain.experiments import (
    SLOTS,
    Assignment,
    Experiment,
    KeyKind,
    MirrorPart,
    Overrides,
    Variant,
)
from understudy.server.errors import RequestError
from understudy.server.routing.slots import largest_remainder

_METADATA: Final = "metadata."
_NAMED: Final = ("system_prompt", "temperature", "max_tokens", "top_p")

_Weight = Annotated[float, Meta(ge=0)]


class _Changes(Struct, kw_only=True, forbid_unknown_fields=True):
    model_group: str = ""
    system_prompt: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    params: dict[str, object] = {}


class _Arm(_Changes, kw_only=True, forbid_unknown_fields=True):
    weight: _Weight


class _Silent(_Changes, kw_only=True, forbid_unknown_fields=True):
    fraction: float = 1.0
    timeout: float | None = None


class _Document(Struct, kw_only=True, forbid_unknown_fields=True):
    experiment: str
    title: str = ""
    model_group: str = ""
    control: str = ""
    variants: dict[str, _Weight | _Arm]
    assignment: str = ""
    mirror: list[str | _Silent] = []
    state: Literal["draft", "running", "paused", "rolled_back", ""] = ""


class Document(Struct, frozen=True):
    """An experiment as written. `state` is lower-case, empty where nothing is said of it."""

    experiment: Experiment
    state: str


def read_document(value: object) -> Document:
    """Return what a parsed YAML or JSON text says. Raises RequestError with the path of a fault."""
    try:
        wire = msgspec.convert(value, _Document)
    except msgspec.ValidationError as error:
        raise RequestError(f"this is no experiment: {error}", field="experiment") from None
    weights = {
        name: one.weight if isinstance(one, _Arm) else one for name, one in wire.variants.items()
    }
    points = largest_remainder(weights) if weights else {}
    variants = tuple(
        Variant(name, _group(one, name), points[name], _overrides(one))
        for name, one in wire.variants.items()
    )
    heaviest = max(variants, key=lambda one: one.weight, default=None)
    control = wire.control or (heaviest.id if heaviest else "")
    experiment = Experiment(
        id=wire.experiment,
        title=wire.title,
        model_group=wire.model_group,
        variants=variants,
        control=control,
        assignment=_read_assignment(wire.assignment),
        mirror=tuple(map(_read_part, wire.mirror)),
    )
    return Document(experiment, wire.state)


def write_document(experiment: Experiment) -> dict[str, object]:
    """Return an experiment as people write it: what `read_document` reads back the same."""
    document: dict[str, object] = {"experiment": experiment.id}
    if experiment.title:
        document["title"] = experiment.title
    if experiment.model_group:
        document["model_group"] = experiment.model_group
    document["control"] = experiment.control
    document["variants"] = {one.id: _write_arm(one) for one in experiment.variants}
    if experiment.assignment.key is not KeyKind.AUTO:
        document["assignment"] = _write_assignment(experiment.assignment)
    if experiment.mirror:
        document["mirror"] = [_write_part(one) for one in experiment.mirror]
    return document


def _group(arm: object, name: str) -> str:
    return arm.model_group or name if isinstance(arm, _Arm) else name


def _overrides(changes: object) -> Overrides:
    if not isinstance(changes, _Changes):
        return Overrides()
    return Overrides(
        changes.system_prompt,
        changes.temperature,
        changes.max_tokens,
        changes.top_p,
        {name: _write_json(name, value) for name, value in changes.params.items()},
    )


def _write_json(name: str, value: object) -> Raw:
    try:
        # Strict, where msgspec would make null of what is not finite.
        text = json.dumps(
            msgspec.to_builtins(value), allow_nan=False, ensure_ascii=False, separators=(",", ":")
        )
        return Raw(text.encode())
    except (TypeError, ValueError):
        told = f"parameter {name[:128]!r} holds what JSON has no word for"
        raise RequestError(told, field="experiment") from None


def _read_assignment(text: str) -> Assignment:
    if text.startswith(_METADATA):
        return Assignment(KeyKind.METADATA, text.removeprefix(_METADATA))
    kinds = {"": KeyKind.AUTO, "user": KeyKind.USER, "request": KeyKind.REQUEST}
    if text not in kinds:
        raise RequestError(
            f"assignment is user, request or metadata.KEY, not {text[:64]!r}", field="assignment"
        )
    return Assignment(kinds[text])


def _read_part(wire: str | _Silent) -> MirrorPart:
    if isinstance(wire, str):
        return MirrorPart(wire)
    return MirrorPart(wire.model_group, wire.fraction, wire.timeout, _overrides(wire))


def _write_arm(variant: Variant) -> object:
    weight = _plain(variant.weight / (SLOTS / 100))
    changes = _write_changes(variant.overrides)
    if variant.model_group != variant.id:
        changes["model_group"] = variant.model_group
    return {"weight": weight, **changes} if changes else weight


def _plain(number: float) -> float:
    return int(number) if number.is_integer() else number


def _write_part(part: MirrorPart) -> object:
    changes = _write_changes(part.overrides)
    if part.fraction != 1:
        changes["fraction"] = part.fraction
    if part.timeout is not None:
        changes["timeout"] = _plain(part.timeout)
    return {"model_group": part.model_group, **changes} if changes else part.model_group


def _write_assignment(assignment: Assignment) -> str:
    if assignment.key is KeyKind.METADATA:
        return _METADATA + assignment.metadata_key
    return assignment.key.lower()


def _write_changes(overrides: Overrides) -> dict[str, object]:
    changes: dict[str, object] = {
        name: value for name in _NAMED if (value := getattr(overrides, name)) is not None
    }
    params: Mapping[str, object] = {
        name: msgspec.json.decode(value) for name, value in overrides.params.items()
    }
    return {**changes, "params": dict(params)} if params else changes

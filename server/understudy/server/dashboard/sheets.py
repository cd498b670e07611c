"""An experiment as a form holds it: every field as the text that stands in it. Pure.

What was typed is kept as typed, so that a form that is refused comes back as it was. Whether an
experiment may be so is `experiments.checking`'s to say.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Final

import msgspec
from msgspec import Raw

from understudy.server.dashboard.visit import Form
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

_PARAMS: Final = msgspec.json.Decoder(dict[str, Raw])
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_LONGEST_NUMBER: Final = 40
_LONG: Final = 20_000  # characters
OVERRIDES: Final = ("system_prompt", "temperature", "max_tokens", "top_p", "params")


@dataclass(frozen=True, slots=True)
class Row:
    """A variant (`weight` in per cent), or a silent model (`fraction` in per cent, `timeout`)."""

    number: int
    texts: Mapping[str, str] = field(default_factory=dict[str, str])

    def __getitem__(self, name: str) -> str:
        return self.texts.get(name, "")

    @property
    def is_open(self) -> bool:
        """Whether what it changes in a prompt is shown at once: not where that takes long to lay."""
        return 0 < sum(len(self[name]) for name in OVERRIDES) < _LONG


@dataclass(frozen=True, slots=True)
class Sheet:
    """A form about an experiment. `control` is the number of a row."""

    id: str = ""
    title: str = ""
    model_group: str = ""
    control: str = "0"
    assignment: str = KeyKind.AUTO
    metadata_key: str = ""
    variants: tuple[Row, ...] = ()
    mirror: tuple[Row, ...] = ()


def write_sheet(experiment: Experiment) -> Sheet:
    """Return the form that shows an experiment."""
    variants = tuple(
        Row(
            number,
            {
                "id": one.id,
                "group": one.model_group,
                "weight": _write_number(one.weight / (SLOTS / 100)),
                **_write_overrides(one.overrides),
            },
        )
        for number, one in enumerate(experiment.variants)
    )
    mirror = tuple(
        Row(
            number,
            {
                "group": one.model_group,
                "fraction": _write_number(one.fraction * 100),
                "timeout": _write_number(one.timeout),
                **_write_overrides(one.overrides),
            },
        )
        for number, one in enumerate(experiment.mirror)
    )
    control = next((row.number for row in variants if row["id"] == experiment.control), 0)
    return Sheet(
        experiment.id,
        experiment.title,
        experiment.model_group,
        str(control),
        experiment.assignment.key,
        experiment.assignment.metadata_key,
        variants,
        mirror,
    )


def read_typed(form: Form, experiment_id: str | None = None) -> Sheet:
    """Return a form as it was sent."""
    return Sheet(
        form.get("id").strip() if experiment_id is None else experiment_id,
        form.get("title").strip(),
        form.get("model_group"),
        form.get("control", "0"),
        form.get("assignment", KeyKind.AUTO),
        form.get("metadata_key").strip(),
        tuple(_typed_rows(form, "v", ("id", "group", "weight", *OVERRIDES))),
        tuple(_typed_rows(form, "m", ("group", "fraction", "timeout", *OVERRIDES))),
    )


def read_sheet(sheet: Sheet, shown: Experiment | None = None) -> Experiment:
    """Return what a form says. Raises RequestError for what is no number, or no JSON.

    `shown` is the experiment that the form was filled from. A browser alters what it cannot hold,
    such as NUL and line ends; a text that comes back as it was shown is left as it is.
    """
    kept = {one.id: one.overrides for one in shown.variants} if shown else {}
    silent = {one.model_group: one for one in shown.mirror} if shown else {}
    variants = tuple(
        Variant(
            row["id"].strip(),
            row["group"],
            _points(row["weight"], f"the share of {_name(row)}"),
            _read_overrides(row, kept.get(row["id"])),
        )
        for row in sheet.variants
    )
    mirror = tuple(
        MirrorPart(
            row["group"],
            _read_fraction(row, silent.get(row["group"])),
            _number(row["timeout"], f"the timeout of {_name(row)}"),
            _read_overrides(row, one.overrides if (one := silent.get(row["group"])) else None),
        )
        for row in sheet.mirror
    )
    control = next(
        (row["id"].strip() for row in sheet.variants if str(row.number) == sheet.control), ""
    )
    if sheet.assignment not in set(KeyKind):
        raise RequestError("callers are assigned by one of those there are", field="assignment")
    kind = KeyKind(sheet.assignment)
    return Experiment(
        id=sheet.id,
        title=sheet.title,
        model_group=sheet.model_group,
        variants=variants,
        control=control,
        assignment=Assignment(kind, sheet.metadata_key if kind is KeyKind.METADATA else ""),
        mirror=mirror,
    )


def as_shown(text: str) -> str:
    """Return a text as a browser has it once it was in a form."""
    return text.replace("\0", "\ufffd").replace("\r\n", "\n").replace("\r", "\n")


def _typed_rows(form: Form, prefix: str, names: Iterable[str]) -> Iterable[Row]:
    for number in form.numbers(prefix):
        yield Row(number, {name: form.get(f"{prefix}{number}-{name}") for name in names})


def _write_overrides(overrides: Overrides) -> dict[str, str]:
    numbers = {name: _write_number(getattr(overrides, name)) for name in ("temperature", "top_p")}
    return {
        "system_prompt": overrides.system_prompt or "",
        **numbers,
        "max_tokens": "" if overrides.max_tokens is None else str(overrides.max_tokens),
        "params": _write_params(overrides.params),
    }


def _write_number(value: float | None) -> str:
    return "" if value is None else str(int(value)) if value == int(value) else repr(value)


def _write_params(params: Mapping[str, Raw]) -> str:
    parts = [
        f"{json.dumps(name, ensure_ascii=False)}: {bytes(text).decode()}"
        for name, text in params.items()
    ]
    return "{" + ", ".join(parts) + "}" if parts else ""


def _read_overrides(row: Row, kept: Overrides | None) -> Overrides:
    prompt: str | None = row["system_prompt"] or None
    params = row["params"]
    if kept is not None and as_shown(kept.system_prompt or "") == row["system_prompt"]:
        prompt = kept.system_prompt
    if kept is not None and as_shown(_write_params(kept.params)) == params:
        members = kept.params
    else:
        members = _read_params(params, row)
    tokens = _number(row["max_tokens"], f"max_tokens of {_name(row)}")
    if tokens is not None and not tokens.is_integer():
        raise RequestError(f"max_tokens of {_name(row)} is a whole number", field="max_tokens")
    return Overrides(
        prompt,
        _number(row["temperature"], f"temperature of {_name(row)}"),
        None if tokens is None else int(tokens),
        _number(row["top_p"], f"top_p of {_name(row)}"),
        members,
    )


def _read_fraction(row: Row, kept: MirrorPart | None) -> float:
    if kept is not None and _write_number(kept.fraction * 100) == row["fraction"]:
        return kept.fraction
    return _points(row["fraction"], f"the fraction of {_name(row)}") / SLOTS


def _read_params(text: str, row: Row) -> Mapping[str, Raw]:
    if not text.strip():
        return {}
    try:
        return {name: Raw(bytes(one)) for name, one in _PARAMS.decode(text).items()}
    except (msgspec.DecodeError, RecursionError) as error:
        told = f"further parameters of {_name(row)} are no JSON object: {error}"
        raise RequestError(told, field="params") from None


def _points(text: str, what: str) -> int:
    """Return basis points from per cent."""
    percent = _number(text, what)
    if percent is None:
        raise RequestError(f"{what} is missing")
    points = percent * (SLOTS / 100)
    if not 0 <= percent <= 100 or abs(points - round(points)) > 1e-6:
        raise RequestError(f"{what} is 0 to 100 %, with two digits after the point at most")
    return round(points)


def _number(text: str, what: str) -> float | None:
    text = text.strip()
    if not text:
        return None
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text) or not isfinite(float(text)):
        raise RequestError(f"{what} is no number: {text[:_LONGEST_NUMBER]!r}")
    return float(text)


def _name(row: Row) -> str:
    return repr(row["id"] or row["group"])

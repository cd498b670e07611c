"""Says what an experiment must be to be stored. Whether it may become so now is `changes`.

Every refusal names the field by its path in the contract. What may be changed in a prompt is
`overrides`.
"""

import re
from collections.abc import Callable, Collection, Iterator
from typing import Final
from unicodedata import category

from understudy.server.domain.deployment import ModelGroup
from understudy.server.domain.experiments import SLOTS, Experiment, KeyKind, Overrides
from understudy.server.errors import RequestError
from understudy.server.experiments.overrides import check_overrides, check_range

FindGroup = Callable[[str], ModelGroup]
"""Returns the group of a name; raises RequestError or AccessError where there is none."""

ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
MOST_VARIANTS: Final = 64
MOST_SILENT: Final = 16
LONGEST_TITLE: Final = 256  # characters
LONGEST_METADATA_KEY: Final = 64  # characters
LONGEST_TIMEOUT: Final = 3600.0  # seconds
MOST_TEXT: Final = 1 << 20  # bytes of prompts and parameters; an audit entry holds them twice


def check(experiment: Experiment, find: FindGroup, kept: Collection[str] = ()) -> None:
    """Raise for the first thing that is wrong: RequestError, or what `find` raises.

    Groups in `kept` are not looked up: they were named before, and one that has gone since must
    not stand in the way of giving it up.
    """
    _check_id("experiment_id", experiment.id)
    _check_title(experiment.title)
    _check_variants(experiment)
    _check_assignment(experiment)
    _check_mirror(experiment)
    size = sum(check_overrides(path, overrides) for path, overrides in _all_overrides(experiment))
    if size > MOST_TEXT:
        raise RequestError(
            f"prompts and parameters take {size} bytes; at most {MOST_TEXT} are stored",
            field="experiment.variants",
        )
    _check_groups(experiment, find, kept)


def _check_id(path: str, name: str) -> None:
    if not ID.fullmatch(name):
        raise RequestError(
            f"{path} is not an id: letters, digits, '.', '_' and '-', at most 128, "
            "the first a letter or digit",
            field=path,
        )


def _check_title(title: str) -> None:
    path = "experiment.title"
    if len(title) > LONGEST_TITLE:
        raise RequestError(f"{path} has at most {LONGEST_TITLE} characters", field=path)
    if any(category(one) in ("Cc", "Cs", "Zl", "Zp") for one in title):
        raise RequestError(f"{path} is one line, without control characters", field=path)


def _check_variants(experiment: Experiment) -> None:
    path, variants = "experiment.variants", experiment.variants
    if not 2 <= len(variants) <= MOST_VARIANTS:
        raise RequestError(
            f"an experiment has 2 to {MOST_VARIANTS} variants, and this one {len(variants)}",
            field=path,
        )
    for index, one in enumerate(variants):
        _check_id(f"{path}[{index}].id", one.id)
        check_range(f"{path}[{index}].weight", one.weight, 0, SLOTS)
    _check_unique(path, "id", [one.id for one in variants])
    total = sum(one.weight for one in variants)
    if total != SLOTS:
        raise RequestError(
            f"the weights are basis points and sum to {SLOTS}, not to {total}", field=path
        )
    if all(one.id != experiment.control for one in variants):
        names = ", ".join(repr(one.id) for one in variants[:8])
        raise RequestError(
            f"control is {experiment.control[:128]!r}, which is no variant; there are {names}",
            field="experiment.control",
        )


def _check_assignment(experiment: Experiment) -> None:
    path, assignment = "experiment.assignment.metadata_key", experiment.assignment
    wants = assignment.key is KeyKind.METADATA
    if wants != bool(assignment.metadata_key):
        raise RequestError(
            "KEY_METADATA needs a metadata_key" if wants else "metadata_key is for KEY_METADATA",
            field=path,
        )
    if len(assignment.metadata_key) > LONGEST_METADATA_KEY:
        raise RequestError(
            f"metadata_key has at most {LONGEST_METADATA_KEY} characters", field=path
        )


def _check_mirror(experiment: Experiment) -> None:
    path, mirror = "experiment.mirror", experiment.mirror
    if len(mirror) > MOST_SILENT:
        raise RequestError(f"at most {MOST_SILENT} silent models are asked", field=path)
    for index, one in enumerate(mirror):
        check_range(f"{path}[{index}].fraction", one.fraction, 0, 1)
        if one.timeout is not None and not 0 < one.timeout <= LONGEST_TIMEOUT:
            raise RequestError(
                f"timeout is {one.timeout} s; it must be above 0 and at most {LONGEST_TIMEOUT:g} s",
                field=f"{path}[{index}].timeout",
            )
    _check_unique(path, "model_group", [one.model_group for one in mirror])


def _check_unique(path: str, name: str, values: list[str]) -> None:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise RequestError(f"{value[:128]!r} is there twice", field=f"{path}[{index}].{name}")


def _all_overrides(experiment: Experiment) -> Iterator[tuple[str, Overrides]]:
    for index, variant in enumerate(experiment.variants):
        yield f"experiment.variants[{index}].overrides", variant.overrides
    for index, part in enumerate(experiment.mirror):
        yield f"experiment.mirror[{index}].overrides", part.overrides


def _check_groups(experiment: Experiment, find: FindGroup, kept: Collection[str]) -> None:
    if (taken := experiment.model_group) and taken not in kept:
        group = _find("experiment.model_group", taken, find)
        if group.name != taken:
            raise RequestError(
                f"{taken!r} is another name of {group.name!r}; take that over",
                field="experiment.model_group",
            )
    named = [
        (f"experiment.variants[{index}].model_group", one.model_group)
        for index, one in enumerate(experiment.variants)
    ] + [
        (f"experiment.mirror[{index}].model_group", one.model_group)
        for index, one in enumerate(experiment.mirror)
    ]
    for path, name in named:
        if name not in kept:
            _find(path, name, find)


def _find(path: str, name: str, find: FindGroup) -> ModelGroup:
    if not name:
        raise RequestError(f"{path} is missing", field=path)
    try:
        return find(name)
    except RequestError as error:
        labels = {**error.metadata, "field": path}
        raise RequestError(
            error.message, field=path, reason=error.reason, metadata=labels
        ) from None

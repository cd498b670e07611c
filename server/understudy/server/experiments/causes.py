"""Says in words what changed in an experiment: the cause of an epoch, for people."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from understudy.server.domain.experiments import Experiment, MirrorPart, Overrides, Variant

LONGEST: Final = 1000  # characters


def describe(before: Experiment, after: Experiment) -> str:
    """Return what is different for prompts, such as `weights 80/20 → 50/50`; empty if nothing is.

    A title and the order of variants make no difference.
    """
    return clip("; ".join(_differences(before, after)))


def clip(cause: str) -> str:
    """Return a cause no longer than is stored."""
    return cause if len(cause) <= LONGEST else cause[: LONGEST - 1] + "…"


def _differences(before: Experiment, after: Experiment) -> Iterator[str]:
    old = {one.id: one for one in before.variants}
    new = {one.id: one for one in after.variants}
    yield from (f"variant {one!r} added" for one in new if one not in old)
    yield from (f"variant {one!r} removed" for one in old if one not in new)
    if any(one.weight != old[one.id].weight for one in after.variants if one.id in old) or any(
        one.weight for one in after.variants if one.id not in old
    ):
        order = [*new, *(one for one in old if one not in new)]
        yield f"weights {_shares(old, order)} → {_shares(new, order)}"
    for one in after.variants:
        if one.id in old:
            yield from _variant_differences(old[one.id], one)
    if before.control != after.control:
        yield f"control {before.control!r} → {after.control!r}"
    if before.model_group != after.model_group:
        yield f"model group {before.model_group!r} → {after.model_group!r}"
    if before.assignment != after.assignment:
        yield "assignment"
    yield from _mirror_differences(before.mirror, after.mirror)


def _variant_differences(before: Variant, after: Variant) -> Iterator[str]:
    if before.model_group != after.model_group:
        yield f"model of {after.id!r}: {before.model_group} → {after.model_group}"
    yield from _override_differences(before.overrides, after.overrides, repr(after.id))


def _override_differences(before: Overrides, after: Overrides, whose: str) -> Iterator[str]:
    if before.system_prompt != after.system_prompt:
        yield f"system prompt of {whose}"
    for name in ("temperature", "max_tokens", "top_p"):
        was, now = getattr(before, name), getattr(after, name)
        if was != now:
            yield f"{name} of {whose}: {_shown(was)} → {_shown(now)}"
    names = sorted(
        name
        for name in before.params.keys() | after.params.keys()
        if before.params.get(name) != after.params.get(name)
    )
    if names:
        yield f"{', '.join(names)} of {whose}"


def _mirror_differences(
    before: tuple[MirrorPart, ...], after: tuple[MirrorPart, ...]
) -> Iterator[str]:
    old = {one.model_group: one for one in before}
    new = {one.model_group: one for one in after}
    yield from (f"silent model {one!r} added" for one in new if one not in old)
    yield from (f"silent model {one!r} removed" for one in old if one not in new)
    for one in after:
        was = old.get(one.model_group)
        if was is None:
            continue
        whose = f"silent model {one.model_group!r}"
        if was.fraction != one.fraction:
            yield f"fraction of {whose}: {was.fraction:g} → {one.fraction:g}"
        if was.timeout != one.timeout:
            yield f"timeout of {whose}"
        yield from _override_differences(was.overrides, one.overrides, whose)


def _shares(variants: Mapping[str, Variant], order: Iterable[str]) -> str:
    return "/".join(f"{variants[one].weight / 100:g}" for one in order if one in variants)


def _shown(value: float | None) -> str:
    return "the caller's" if value is None else f"{value:g}"

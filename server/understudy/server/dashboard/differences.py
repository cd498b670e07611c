"""What differs between two states of an experiment, line by line. Pure.

The lines are those of the experiment as people write it (`experiments.documents`).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, Literal, cast

from understudy.server.domain.experiments import Experiment
from understudy.server.experiments.documents import write_document

_MOST_LINES: Final = 800  # beyond, to find the differences takes longer than to read them
_LONGEST_LINE: Final = 4000  # characters that are shown
_AROUND: Final = 1  # lines that are the same, before and after one that is not

Kind = Literal["same", "removed", "added", "gap"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line, and whether it was there before, is there now, or both."""

    kind: Kind
    text: str


def differ(before: Experiment | None, after: Experiment | None) -> tuple[Line, ...]:
    """Return the lines that differ, and those around them. `None` is an experiment that is not."""
    old, new = _lines(before), _lines(after)
    if max(len(old), len(new)) > _MOST_LINES:
        return (Line("gap", f"too long to compare: {len(old)} lines, and {len(new)}"),)
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    found: list[Line] = []
    for group in matcher.get_grouped_opcodes(_AROUND):
        if found:
            found.append(Line("gap", "…"))
        for tag, a, b, c, d in group:
            if tag == "equal":
                found += [Line("same", _clip(text)) for text in old[a:b]]
            else:
                found += [Line("removed", _clip(text)) for text in old[a:b]]
                found += [Line("added", _clip(text)) for text in new[c:d]]
    return tuple(found)


def _lines(experiment: Experiment | None) -> list[str]:
    return list(_write(write_document(experiment))) if experiment is not None else []


def _write(value: Mapping[str, object], pad: str = "") -> Iterator[str]:
    for name, one in value.items():
        if isinstance(one, dict):
            yield f"{pad}{name}:"
            yield from _write(cast(dict[str, object], one), pad + "  ")
        elif isinstance(one, str) and "\n" in one:
            yield f"{pad}{name}: |"
            yield from (f"{pad}  {line}" for line in one.split("\n"))
        elif isinstance(one, str):
            yield f"{pad}{name}: {one}"
        elif isinstance(one, list):
            yield f"{pad}{name}:"
            for part in cast(list[object], one):
                entry: dict[str, object] = {"model_group": part}
                if isinstance(part, dict):
                    entry = cast(dict[str, object], part)
                lines = _write(entry)
                yield from (
                    f"{pad}  {'  ' if index else '- '}{line}" for index, line in enumerate(lines)
                )
        else:
            yield f"{pad}{name}: {json.dumps(one, ensure_ascii=False)}"


def _clip(text: str) -> str:
    if len(text) <= _LONGEST_LINE:
        return text
    return f"{text[:_LONGEST_LINE]}… ({len(text) - _LONGEST_LINE} more characters)"

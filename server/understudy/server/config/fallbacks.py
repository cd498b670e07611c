"""Reads where calls go when a group fails: `fallbacks` of three kinds and `default_fallbacks`.

A fallback to what does not exist is no fault in LiteLLM. Here it is a finding: somebody relied on
it. Groups that fall back to each other in a circle are a fault: each was to be the other's relief.
That what every group falls back to falls back to itself is as it should be. When a fallback is
taken is `routing.attempts`'s to decide.
"""

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from understudy.server.config.aliases import no_group
from understudy.server.config.faults import shown
from understudy.server.config.fields import Fields
from understudy.server.config.findings import Findings
from understudy.server.config.standing_table import Standing
from understudy.server.domain.deployment import ModelGroup

ANY = "*"  # stands for every group without fallbacks of its own

Fallbacks = Mapping[str, tuple[str, ...]]


class FallbackReader:
    """Reads fallbacks between groups. `names` are groups by whatever leads to them."""

    def __init__(self, names: Mapping[str, ModelGroup], findings: Findings) -> None:
        self._names = names
        self._findings = findings

    def read(self, section: Fields, key: str) -> dict[str, tuple[str, ...]]:
        """Return the fallbacks of one kind: `[{group: [target, …]}, …]`."""
        found: dict[str, tuple[str, ...]] = {}
        places: dict[str, Fields] = {}
        name = section.path_of(key)
        for source, entry in _entries(section, key):
            node = entry.values[source]
            if source == ANY or self._is_group(source):
                targets = self._targets(source, name, entry, source)
                if targets:
                    found[source] = (*found.get(source, ()), *targets)
                    places[source] = entry
            elif source in self._names:
                why = f"an alias falls back as its group does, {self._names[source].name!r}"
                self._findings.add(f"{name}.{source}", Standing.IGNORED, why, node)
            else:
                why = no_group(source, self._names)
                self._findings.add(f"{name}.{source}", Standing.IGNORED, why, node)
        self._refuse_cycle(found, places)
        return found

    def read_default(self, section: Fields, key: str) -> tuple[str, ...]:
        """Return what every group falls back to: `[target, …]`."""
        return self._targets(ANY, section.path_of(key), section, key)

    def _refuse_cycle(self, found: Fallbacks, places: Mapping[str, Fields]) -> None:
        """Note a fault where the file's first group stands that comes back to itself."""
        named = {
            source: [self._names[target].name for target in targets]
            for source, targets in found.items()
            if source != ANY
        }
        if not (cycle := find_cycle(named)):
            return
        first = next(source for source in named if source in cycle)
        start = cycle.index(first)
        way = [*cycle[start:-1], *cycle[:start], first]
        told = f"leads back to itself: {' → '.join(way)}; take one of these steps out"
        places[first].fault(first, told)

    def _is_group(self, name: str) -> bool:
        return name in self._names and self._names[name].name == name

    def _targets(self, source: str, name: str, fields: Fields, key: str) -> tuple[str, ...]:
        node = fields.values.get(key)
        if node is None or node.value is None:
            return ()
        found: list[str] = []
        for item in node.value if isinstance(node.value, tuple) else (node,):
            target = item.value
            if isinstance(target, Mapping):
                why = "a fallback with parameters of its own is not built in this version"
                self._findings.add(f"{name}.{source}", Standing.MISSED, why, item)
            elif not isinstance(target, str):
                fields.faults.add(item, fields.path_of(key), f"must name model groups{shown(item)}")
            elif target not in self._names:
                why = no_group(target, self._names)
                self._findings.add(f"{name}.{target}", Standing.MISSED, why, item)
            elif self._names[target].name != source and target not in found:
                found.append(target)
        return tuple(found)


def find_cycle(fallbacks: Mapping[str, Sequence[str]]) -> list[str]:
    """Return groups that fall back to each other in a circle, the first repeated at the end."""
    try:
        TopologicalSorter(fallbacks).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1]
        return cycle[::-1]
    return []


def _entries(section: Fields, key: str) -> Iterator[tuple[str, Fields]]:
    for index, item in enumerate(section.items(key)):
        entry = Fields(item, f"{section.path_of(key)}[{index}]", section.faults)
        for source in entry.values:
            yield source, entry

"""Reads one mapping of LiteLLM's part of the file, key by key, noting faults as it goes.

What is missing, null or wrong reads as `None`: a fault stops nothing, so that all are found.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import TypeVar

from understudy.server.config import units
from understudy.server.config.document import Node
from understudy.server.config.faults import Faults, shown
from understudy.server.domain.chat import JsonValue

T = TypeVar("T")

_LARGEST_INTEGER = 2**63


class Fields:
    """A mapping, its path in the file, and where its faults go."""

    def __init__(self, node: Node, path: str, faults: Faults) -> None:
        self.node = node
        self.path = path
        self.faults = faults
        self.values: Mapping[str, Node] = {}
        self.is_mapping = node.value is None or isinstance(node.value, Mapping)
        if isinstance(node.value, Mapping):
            self.values = node.value
        elif not self.is_mapping:
            faults.add(node, path, f"must be a mapping{shown(node)}")

    def path_of(self, key: str) -> str:
        """Return the path of a key."""
        return f"{self.path}.{key}" if self.path else key

    def fault(self, key: str, message: str) -> None:
        """Note a fault at a key, or at the mapping if it has no such key."""
        self.faults.add(self.values.get(key, self.node), self.path_of(key), message)

    def has(self, key: str) -> bool:
        """Whether the key is there and not null."""
        node = self.values.get(key)
        return node is not None and node.value is not None

    def read(self, key: str, reader: Callable[[object], T]) -> T | None:
        """Return the value by one of the readers of `units`."""
        node = self.values.get(key)
        if node is None or node.value is None:
            return None
        try:
            return reader(node.value)
        except units.UnreadableError as error:
            self.fault(key, f"{error}{shown(node)}")
            return None

    def text(self, key: str) -> str | None:
        """Return text, which is never shown in a fault."""
        node = self.values.get(key)
        if node is None or node.value is None:
            return None
        if not isinstance(node.value, str):
            self.fault(key, "must be text; put it in quotes")
            return None
        return node.value

    def flag(self, key: str) -> bool | None:
        """Return a truth value."""
        return self.read(key, units.flag)

    def mapping(self, key: str) -> "Fields":
        """Return the mapping below a key, empty if there is none."""
        node = self.values.get(key, self.node.with_value(None))
        return Fields(node, self.path_of(key), self.faults)

    def items(self, key: str) -> tuple[Node, ...]:
        """Return the items of the list below a key."""
        node = self.values.get(key)
        if node is None or node.value is None:
            return ()
        if not isinstance(node.value, tuple):
            self.fault(key, f"must be a list{shown(node)}")
            return ()
        return node.value

    def names(self, key: str) -> tuple[str, ...]:
        """Return the names below a key: a list of texts, or one text alone."""
        node = self.values.get(key)
        if node is not None and isinstance(node.value, str):
            return (node.value,)
        found: list[str] = []
        for index, item in enumerate(self.items(key)):
            if isinstance(item.value, str):
                found.append(item.value)
            else:
                self.faults.add(item, f"{self.path_of(key)}[{index}]", f"must be text{shown(item)}")
        return tuple(found)

    def json_object(self) -> dict[str, JsonValue]:
        """Return the whole mapping as JSON will carry it."""
        return {key: self.json(key) for key in self.values}

    def json(self, key: str) -> JsonValue:
        """Return a value as JSON will carry it."""
        node = self.values.get(key)
        return None if node is None else _json(node, self.path_of(key), self.faults)


def _json(node: Node, path: str, faults: Faults) -> JsonValue:
    value = node.value
    if isinstance(value, Mapping):
        below: dict[str, object] = {}
        for key, one in value.items():
            below[key] = _json(one, f"{path}.{key}", faults)
        return below
    if isinstance(value, tuple):
        items: list[object] = []
        for index, one in enumerate(value):
            items.append(_json(one, f"{path}[{index}]", faults))
        return items
    if isinstance(value, float) and not isfinite(value):
        faults.add(node, path, f"must be finite{shown(node)}")
    elif isinstance(value, int) and not -_LARGEST_INTEGER <= value < _LARGEST_INTEGER:
        faults.add(node, path, "is larger than JSON's readers take")
    return value

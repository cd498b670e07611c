"""Reads YAML into values that remember their line. Nothing of LiteLLM or Understudy here.

Safe by construction: only plain mappings, lists and scalars come out, within caps on size, depth
and number, aliases counted as often as they stand. A key given twice is a fault, not a choice.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import yaml

from understudy.server.errors import ConfigError

LARGEST_FILE = 2 * 1024 * 1024  # characters
MOST_NODES = 100_000
DEEPEST = 40

Scalar = str | int | float | bool | None

_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
# A date is text here: `api_version: 2024-02-01` means what it looks like.
_TEXT = frozenset({f"{_TAG}str", f"{_TAG}timestamp", f"{_TAG}value"})
_QUOTED = re.compile(r"""(['"])(?!<)[^'"\s]{3,}\1""")


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands. `variable` is the environment variable that it came from.

    It may be a credential, so it is in no repr.
    """

    value: "Scalar | Mapping[str, Node] | tuple[Node, ...]" = field(repr=False)
    file: str
    line: int
    variable: str = ""

    @property
    def place(self) -> str:
        """`config.yaml:12`."""
        return f"{self.file}:{self.line}"

    def at(self, step: str | int) -> "Node | None":
        """Return what stands below a key or index, if anything does."""
        value = self.value
        if isinstance(step, str):
            return value.get(step) if isinstance(value, Mapping) else None
        return value[step] if isinstance(value, tuple) and step < len(value) else None

    def with_value(self, value: "Scalar | Mapping[str, Node] | tuple[Node, ...]") -> "Node":
        """Return another value that stands in the same place."""
        return replace(self, value=value)


class _Refused(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, with a bound on how deep and how many nodes it builds."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._count = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._depth += 1
        self._count += 1
        line = self.line + 1
        if self._depth > DEEPEST:
            raise _Refused(line, f"is nested deeper than {DEEPEST} levels")
        if self._count > MOST_NODES:
            raise _Refused(line, f"holds more than {MOST_NODES} values")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def read_document(text: str, file: str) -> Node:
    """Return what a YAML text holds; an empty one holds `None`.

    Raises ConfigError, with a line wherever there is one. The text itself is never quoted.
    """
    if len(text) > LARGEST_FILE:
        raise ConfigError([f"{file}: is larger than {LARGEST_FILE} characters"])
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        return Node(None, file, 1) if root is None else _Reader(loader, file).read(root, 0)
    except _Refused as error:
        raise ConfigError([f"{file}:{error.line}: {error}"]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError([f"{file}:{line}: is not YAML: {_told(error.problem)}"]) from None
    except yaml.reader.ReaderError as error:
        position = error.position if isinstance(error.position, int) else 0
        line = text.count("\n", 0, position) + 1
        raise ConfigError([f"{file}:{line}: is not YAML: {error.reason}"]) from None


def _told(problem: str | None) -> str:
    """Return what PyYAML says, less what it quotes: a key that begins with `*` is an alias to it."""
    return _QUOTED.sub("…", problem or "it ends too early")


def _tagged(node: yaml.Node) -> str:
    known = node.tag.startswith(_TAG)
    tag = f"the tag !!{node.tag.removeprefix(_TAG)[:60]}" if known else "a tag of its own"
    return f"has {tag}; only plain YAML is read"


class _Reader:
    """Turns PyYAML's nodes into ours; one for each document."""

    def __init__(self, loader: _Loader, file: str) -> None:
        self._loader = loader
        self._file = file
        self._count = 0

    def read(self, node: yaml.Node, depth: int) -> Node:
        line = node.start_mark.line + 1
        self._count += 1
        if self._count > MOST_NODES:
            raise _Refused(line, f"holds more than {MOST_NODES} values, aliases counted each time")
        if depth > DEEPEST:
            raise _Refused(line, f"is nested deeper than {DEEPEST} levels, or holds itself")
        if isinstance(node, yaml.ScalarNode):
            return Node(self._scalar(node), self._file, line)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            items = tuple(self.read(item, depth + 1) for item in node.value)
            return Node(items, self._file, line)
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return Node(self._mapping(node, depth), self._file, line)
        raise _Refused(line, _tagged(node))

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Node]:
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag == _MERGE:
                for name, inherited in self._merged(value, depth):
                    merged.setdefault(name, inherited)
                continue
            if not isinstance(key, yaml.ScalarNode) or not key.tag.startswith(_TAG):
                raise _Refused(line, "has a key that is no plain text")
            self._check_text(key.value, line)
            if not key.value.isprintable():
                raise _Refused(line, "has a key with control characters")
            if key.value in own:
                raise _Refused(line, f"has the key {key.value[:60]!r} twice")
            own[key.value] = self.read(value, depth + 1)
        return {**merged, **own}

    def _merged(self, value: yaml.Node, depth: int) -> list[tuple[str, Node]]:
        """Return what `<<:` brings in, the most important first."""
        sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
        found: list[tuple[str, Node]] = []
        for source in sources:
            if not isinstance(source, yaml.MappingNode):
                raise _Refused(value.start_mark.line + 1, "merges (<<) what is no mapping")
            read = self.read(source, depth + 1).value
            assert isinstance(read, Mapping)
            found.extend(read.items())
        return found

    def _scalar(self, node: yaml.ScalarNode) -> Scalar:
        line = node.start_mark.line + 1
        if node.tag in _TEXT:
            self._check_text(node.value, line)
            return str(node.value)
        try:
            match node.tag.removeprefix(_TAG):
                case "null":
                    return None
                case "bool":
                    return self._loader.construct_yaml_bool(node)
                case "int":
                    return self._loader.construct_yaml_int(node)
                case "float":
                    return self._loader.construct_yaml_float(node)
                case _:
                    raise _Refused(line, _tagged(node))
        except (ValueError, LookupError, ArithmeticError):
            raise _Refused(line, "holds a number that cannot be read") from None

    def _check_text(self, text: str, line: int) -> None:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _Refused(line, "holds half of a surrogate pair") from None

"""Gathers what is wrong with a file, so that an operator sees all of it at once.

A fault reads `config.yaml:12: model_list[1].litellm_params.weight: must not be negative (is -1)`.
Values are shown only where they help and cannot be a credential.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from understudy.server.config.document import Node
from understudy.server.errors import ConfigError

_LONGEST_SHOWN = 20  # characters; longer text in a number's place may be a misplaced key


class Faults:
    """The faults of one configuration."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, int]] = {}
        self._files: list[str] = []

    def add(self, node: Node, path: str, message: str) -> None:
        """Note a fault at a place."""
        where = f"{node.place}: {path}" if path else node.place
        if node.file not in self._files:
            self._files.append(node.file)
        rank = (self._files.index(node.file), node.line)
        self._found.setdefault(f"{where}: {message}", rank)

    def adopt(self, error: ConfigError) -> None:
        """Take over the faults of a file that could not be read at all."""
        for fault in error.faults:
            self._found.setdefault(fault, (len(self._files), 0))

    def raise_any(self) -> None:
        """Raise ConfigError with all the faults, in the order of their lines."""
        if self._found:
            raise ConfigError(sorted(self._found, key=self._found.__getitem__))


def shown(node: Node) -> str:
    """Return ` (is …)` for a value that may be shown, else what kind of value it is."""
    value = node.value
    if node.variable:
        return f" (is what {node.variable} holds)" if value is not None else ""
    if isinstance(value, str):
        return f" (is {value!r})" if len(value) <= _LONGEST_SHOWN else " (is text)"
    if isinstance(value, Mapping):
        return " (is a mapping)"
    if isinstance(value, tuple):
        return " (is a list)"
    if value is None:
        return " (is null)"
    if isinstance(value, bool):
        return f" (is {str(value).lower()})"
    return f" (is {value!r})" if len(repr(value)) <= _LONGEST_SHOWN else " (is a long number)"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` if some known name is near, else nothing."""
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""

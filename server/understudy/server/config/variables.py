"""Puts environment variables where a file says `os.environ/NAME`, as LiteLLM does. Pure.

A variable that is not set, or empty, becomes `None`, and `true` or `false` in any case a truth value. Where
a value came from stays with it, so that a fault can name the variable and never show its value.
"""

from collections.abc import Iterator, Mapping

from understudy.server.config.document import Node

PREFIX = "os.environ/"
_WORDS = {"true": True, "false": False}


def substitute(node: Node, environ: Mapping[str, str], *, in_lists: bool = False) -> Node:
    """Return the tree with every reference resolved; bare strings of a list only if told to.

    LiteLLM leaves those alone, and a file must mean the same here as there.
    """
    if isinstance(node.value, str):
        return _resolve(node, environ) if node.value.startswith(PREFIX) else node
    if isinstance(node.value, Mapping):
        return node.with_value(
            {key: substitute(one, environ, in_lists=in_lists) for key, one in node.value.items()}
        )
    if isinstance(node.value, tuple):
        return node.with_value(
            tuple(
                one
                if isinstance(one.value, str) and not in_lists
                else substitute(one, environ, in_lists=in_lists)
                for one in node.value
            )
        )
    return node


def extended(environ: Mapping[str, str], section: Node | None) -> Mapping[str, str]:
    """Return the environment with what `environment_variables:` adds; what is set already stays."""
    if section is None or not isinstance(section.value, Mapping):
        return environ
    resolved = substitute(section, environ).value
    assert isinstance(resolved, Mapping)
    given = {
        name: str(one.value)
        for name, one in resolved.items()
        if one.value is not None and not isinstance(one.value, Mapping | tuple)
    }
    return {**given, **environ}


def find_unset(node: Node, path: str) -> Iterator[tuple[Node, str]]:
    """Yield each value whose variable is not set, with its path."""
    if node.variable and node.value is None:
        yield node, path
    if isinstance(node.value, Mapping):
        for key, one in node.value.items():
            yield from find_unset(one, f"{path}.{key}" if path else key)
    if isinstance(node.value, tuple):
        for index, one in enumerate(node.value):
            yield from find_unset(one, f"{path}[{index}]")


def _resolve(node: Node, environ: Mapping[str, str]) -> Node:
    assert isinstance(node.value, str)
    name = node.value.removeprefix(PREFIX)
    text = environ.get(name, "")
    value = _WORDS.get(text.strip().lower(), text) if text else None
    return Node(value, node.file, node.line, name)

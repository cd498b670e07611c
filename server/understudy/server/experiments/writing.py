"""Writes YAML as people would: texts of several lines as such, in the order given. Pure."""

from typing import Final

import yaml

_WIDTH: Final = 96
_BREAKS: Final = frozenset("\x85\u2028\u2029")


def dump(value: object) -> str:
    """Return the text of a value."""
    text = _write(value, allow_unicode=True)
    # To YAML these end a line, and so would end a comment.
    return _write(value, allow_unicode=False) if set(text) & _BREAKS else text


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as several lines."""


def _represent(_: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return yaml.ScalarNode("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent)


def _write(value: object, *, allow_unicode: bool) -> str:
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=allow_unicode, width=_WIDTH
    )
    return text

"""Puts the headers of a deployment's requests together, and refuses what HTTP cannot carry. Pure.

A line break in a key would end the header and begin another, so nothing is sent that is not
printable ASCII. Which credential goes where is `catalog`'s to decide.
"""

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version

_BASIC = (
    ("content-type", "application/json"),
    ("accept-encoding", "identity"),
    ("user-agent", f"understudy/{version('understudy')}"),
)

# How a message is framed and where it goes is the transport's own business.
_RESERVED = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_LONGEST_VALUE = 16 * 1024

Headers = tuple[tuple[str, str], ...]
Header = tuple[str, str, str]  # its name, its value, and the variable or parameter it came from


class UnsendableError(ValueError):
    """A value that no header may hold. `source` is the variable or parameter it came from."""

    def __init__(self, source: str, message: str) -> None:
        super().__init__(f"{source} {message}")
        self.source = source
        self.message = message


def build_headers(ours: Iterable[Header], theirs: Mapping[str, str] | None = None) -> Headers:
    """Return every header, lower-case: ours, then the operator's.

    The operator's `extra_headers` replace ours of the same name.
    Raises UnsendableError; the message never repeats a value.
    """
    headers = dict(_BASIC)
    for name, value, source in ours:
        headers[name] = _checked(value, source)
    for name, value in (theirs or {}).items():
        if not _TOKEN.fullmatch(name):
            raise UnsendableError("extra_headers", f"holds {name[:40]!r}, no name for a header")
        lower = name.lower()
        if lower in _RESERVED:
            raise UnsendableError("extra_headers", f"sets {lower!r}, which is the transport's")
        headers[lower] = _checked(value, "extra_headers")
    return tuple(headers.items())


def _checked(value: str, source: str) -> str:
    if "\n" in value or "\r" in value:
        raise UnsendableError(source, "holds a line break, which no header may")
    if not value.isascii() or not value.isprintable():
        raise UnsendableError(source, "holds a character that no header may; only printable ASCII")
    bare = value.removeprefix("Bearer ")
    if bare != bare.strip():
        raise UnsendableError(source, "begins or ends with a space")
    if len(value) > _LONGEST_VALUE:
        raise UnsendableError(source, f"is longer than {_LONGEST_VALUE} characters")
    return value

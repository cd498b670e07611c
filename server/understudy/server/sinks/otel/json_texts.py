"""Writes values as JSON that every receiver takes, whatever callers and models put into them."""

import json
from typing import Final

import msgspec
from msgspec import Raw

from understudy.server.providers.surrogates import mend_surrogates

LONGEST: Final = 1024 * 1024  # bytes of one JSON text; what is longer is left out and said so


def write_json(value: object) -> str:
    """Return JSON text. What is no character becomes U+FFFD, and so does NUL."""
    try:
        data = msgspec.json.encode(value)
    except UnicodeEncodeError:
        plain = msgspec.to_builtins(value, enc_hook=_unpack)
        data = json.dumps(plain, ensure_ascii=True).encode()
    if rb"\ud" in data or rb"\uD" in data:
        data = mend_surrogates(data)
    if rb"\u0000" in data:
        # NUL itself is in no JSON text; here it stands for an escaped backslash.
        data = data.replace(rb"\\", b"\0").replace(rb"\u0000", rb"\ufffd").replace(b"\0", rb"\\")
    return data.decode(errors="replace")


def _unpack(value: object) -> object:
    """Stand in for what msgspec leaves alone. Parsed, such text could be nested without end."""
    if isinstance(value, Raw):
        return bytes(value).decode(errors="replace")
    raise NotImplementedError(type(value).__name__)

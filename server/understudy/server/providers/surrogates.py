"""Halves of surrogate pairs in JSON text, which are no characters, and what they become. Pure.

Providers that cut text between the halves of an emoji send them. A parser that goes by the book
refuses the whole text for it.
"""

import re

_REPLACEMENT = b"fffd"
_HIGHS = frozenset({(a + b).encode() for a in "dD" for b in "89abAB"})
_LOWS = frozenset({(a + b).encode() for a in "dD" for b in "cdefCDEF"})
_FOUR_DIGITS = re.compile(rb"[0-9a-fA-F]{4}")


def mend_surrogates(text: bytes) -> bytes:
    r"""Return JSON text with each `\uD800` to `\uDFFF` that has no partner as `\uFFFD`.

    The loop is Python on purpose: one regular expression over a large reply would hold the
    interpreter lock for 60 ms.
    """
    if rb"\u" not in text or b"\0" in text:
        return text  # NUL is no JSON; here it stands for an escaped backslash
    head, *escapes = text.replace(rb"\\", b"\0").split(rb"\u")
    mended: list[bytes] = []
    waiting = False  # the piece before is half a pair, and this one may be the other
    for piece in escapes:
        kind = piece[:2]
        if kind in _LOWS:
            mended.append(piece if waiting else _replace(piece))
            waiting = False
            continue
        if waiting:
            mended[-1] = _replace(mended[-1])
        waiting = kind in _HIGHS and len(piece) == 4
        lone = kind in _HIGHS and not waiting
        mended.append(_replace(piece) if lone else piece)
    if waiting:
        mended[-1] = _replace(mended[-1])
    return rb"\u".join((head, *mended)).replace(b"\0", rb"\\")


def _replace(piece: bytes) -> bytes:
    return _REPLACEMENT + piece[4:] if _FOUR_DIGITS.match(piece) else piece

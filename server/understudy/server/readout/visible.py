"""Makes names that others chose harmless to look at. Pure."""

from typing import Final

_TURNING: Final = frozenset(
    {0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029}
)


def visible(text: str) -> str:
    """Return text in which control characters can be seen, and so can what turns writing round."""
    return "".join(map(_visible, text)) if not text.isprintable() else text


def _visible(one: str) -> str:
    code = ord(one)
    if one in "\n\t":
        return one
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0x80 <= code <= 0x9F or code in _TURNING or 0xD800 <= code <= 0xDFFF:
        return f"\u27e8U+{code:04X}\u27e9"
    return one

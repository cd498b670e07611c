"""Reads when a token expires that somebody pasted. Pure; nothing is verified or kept."""

from base64 import urlsafe_b64decode

import msgspec

_LONGEST = 64 << 10


class _Claims(msgspec.Struct):
    exp: float


def read_expiry(token: str) -> float | None:
    """Return when a JSON web token expires, in seconds since 1970; None if it does not say."""
    parts = token.split(".") if len(token) <= _LONGEST else []
    if len(parts) != 3:
        return None
    try:
        claims = urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return msgspec.json.decode(claims, type=_Claims).exp
    except (ValueError, RecursionError):
        return None

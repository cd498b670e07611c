"""Who is logged in, and the token that proves that a change was asked for by one of our pages.

A session is a random token in a cookie; what it stands for stays here, in memory, so a restart
ends all. Keys are never kept. Without keys a token stands for everybody, and is only there to
bind the pages' own token to a browser.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from understudy.server.domain.access import Identity

LIFETIME: Final = 12 * 3600.0  # seconds
_MOST: Final = 1000  # sessions
_LONGEST_TOKEN: Final = 128  # characters


@dataclass(frozen=True, slots=True)
class _Session:
    identity: Identity
    ends: float


class Sessions:
    """The sessions there are. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._sessions: dict[bytes, _Session] = {}

    def begin(self, identity: Identity) -> str:
        """Return the token of a new session."""
        now = self._clock()
        for known in [known for known, one in self._sessions.items() if one.ends <= now]:
            del self._sessions[known]
        while len(self._sessions) >= _MOST:
            del self._sessions[next(iter(self._sessions))]  # the oldest
        token = self.new_token()
        self._sessions[_digest(token)] = _Session(identity, now + LIFETIME)
        return token

    def find(self, token: str) -> Identity | None:
        """Return who is logged in with this token, if anybody."""
        found = self._sessions.get(_digest(token))
        return found.identity if found is not None and found.ends > self._clock() else None

    def end(self, token: str) -> None:
        """Log out."""
        self._sessions.pop(_digest(token), None)

    def end_all(self) -> None:
        """Log everybody out."""
        self._sessions.clear()

    def new_token(self) -> str:
        """Return a token that stands for nobody."""
        return secrets.token_urlsafe(32)

    def proof(self, token: str) -> str:
        """Return what pages put into their forms for the browser that has this token."""
        return hmac.new(self._secret, _digest(token), hashlib.sha256).hexdigest()

    def is_proof(self, token: str, given: str) -> bool:
        """Whether a form came from a page of ours, in the browser that has this token."""
        return bool(token) and hmac.compare_digest(
            self.proof(token).encode(), given[:_LONGEST_TOKEN].encode(errors="replace")
        )


def _digest(token: str) -> bytes:
    """Return what a token is known by: looking it up then tells nothing by its time."""
    return hashlib.sha256(token[:_LONGEST_TOKEN].encode(errors="replace")).digest()

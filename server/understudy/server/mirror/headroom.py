"""How much is left of the quotas that mirrors share with primaries, by the providers' own word.

Below a fifth, what is left is the primary's. Written and read from several threads without a
lock: each entry is a value that is swapped whole, and the next reply mends what a race loses.
"""

import hashlib
from collections.abc import Callable, Mapping
from weakref import WeakKeyDictionary

from understudy.server.domain.deployment import Deployment, Endpoint
from understudy.server.providers.waits import read_wait

LEAST_SHARE = 0.2
_WINDOW = 60.0  # seconds, where the provider does not say when its window ends
_LONGEST_WINDOW = 3600.0
_LIMITS = ("requests", "tokens")
_CREDENTIALS = frozenset({"authorization", "api-key", "x-api-key"})


class Headroom:
    """What providers said of their limits, by account: an origin and a credential."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._accounts: WeakKeyDictionary[Endpoint, str] = WeakKeyDictionary()
        self._until: dict[str, Mapping[str, float]] = {}

    def is_low(self, deployment: Deployment) -> bool:
        """Return whether the deployment's account has little left of some limit."""
        known = self._until.get(self._account(deployment))
        if not known:
            return False
        now = self._clock()
        return any(now < until for until in known.values())

    def note(self, deployment: Deployment, headers: Mapping[str, str]) -> None:
        """Take what a reply of the deployment says of its limits, if anything."""
        shares = {
            limit: share for limit in _LIMITS if (share := _read_share(headers, limit)) is not None
        }
        if not shares:
            return
        waits = [_read_window(headers, limit) for limit in shares if shares[limit] < LEAST_SHARE]
        self._set(deployment, max(waits, default=0.0))

    def close(self, deployment: Deployment, wait: float) -> None:
        """Take nothing from the deployment's account for some seconds: its provider asked."""
        self._set(deployment, min(wait, _LONGEST_WINDOW))

    def _set(self, deployment: Deployment, wait: float) -> None:
        account = self._account(deployment)
        known = self._until.get(account, {})
        if wait or deployment.id in known:
            self._until[account] = {**known, deployment.id: self._clock() + wait}

    def _account(self, deployment: Deployment) -> str:
        endpoint = deployment.endpoint
        if endpoint is None:
            return ""
        account = self._accounts.get(endpoint)
        if account is None:
            credentials = [pair for pair in endpoint.headers if pair[0].lower() in _CREDENTIALS]
            # A digest, so that no credential is kept in yet another place.
            account = hashlib.sha256(repr((endpoint.origin, credentials)).encode()).hexdigest()
            self._accounts[endpoint] = account
        return account


def _read_share(headers: Mapping[str, str], limit: str) -> float | None:
    remaining = _read_count(headers.get(f"x-ratelimit-remaining-{limit}"))
    total = _read_count(headers.get(f"x-ratelimit-limit-{limit}"))
    return None if remaining is None or not total else remaining / total


def _read_count(text: str | None) -> int | None:
    text = "" if text is None else text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def _read_window(headers: Mapping[str, str], limit: str) -> float:
    name = f"x-ratelimit-reset-{limit}"
    wait = read_wait({name: headers.get(name, "")})
    return _WINDOW if wait is None else min(wait, _LONGEST_WINDOW)

"""The accounts of all silent models in one process, locked: spent by some threads, filled by one.

Nothing here waits for more than the lock, which nobody holds while the treasury is asked. When
that is, and what is said of it, is `shared_purse`; the arithmetic of one account is `leasing`.
"""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Final

from understudy.server.domain.spending import Lease, Spending, Window
from understudy.server.mirror.budget import NANO
from understudy.server.mirror.leasing import Account, Ask
from understudy.server.mirror.purse import Outlay, Reservation
from understudy.server.mirror.shedding import Hold, Shed

_MICRO: Final = 1_000_000


class Accounts:
    """What this process may spend. `cap` is in 10^-9 dollars, `per` in seconds.

    `clock` says seconds, and `calendar` microseconds since 1970, which windows go by.
    """

    def __init__(
        self, cap: int, per: float, *, clock: Callable[[], float], calendar: Callable[[], int]
    ) -> None:
        self._cap = cap
        self._length = max(round(per * _MICRO), 1)
        self._clock = clock
        self._calendar = calendar
        self._lock = Lock()
        self._accounts: dict[str, Account] = {}
        self._ending: list[Account] = []  # of windows that are over
        self._seen: tuple[Window, int, Mapping[str, Spending]] | None = None

    @property
    def window(self) -> Window:
        """The window that it is now."""
        return Window.at(self._calendar(), self._length)

    def reserve(self, silent_model: str, cost: int) -> tuple[Reservation | Hold | Shed, bool]:
        """Put aside what a copy may cost, or say why not; and whether more should be fetched."""
        now = self._clock()
        with self._lock:
            account = self._find(silent_model)
            if account.reserve(cost, now):
                return Reservation(cost, account=account), account.is_low
            if cost > self._cap or now < account.refused:
                return Shed.BUDGET, False
            return Hold.MONEY, True

    def settle(self, reservation: Reservation, cost: int | None) -> None:
        """Put what a copy cost in the place of what was put aside, in the window of that."""
        assert reservation.account is not None
        with self._lock:
            reservation.account.settle(reservation.cost, cost)

    def outlays(self) -> Mapping[str, Outlay]:
        """Return what each silent model has cost in this window, for all who share the cap."""
        window = self.window
        found: dict[str, Outlay] = {}
        with self._lock:
            if self._seen is not None and self._seen[0] == window:
                for name, everything in self._seen[2].items():
                    found[name] = _sum(everything, self._seen[1])
            for name, one in self._accounts.items():
                if one.window == window:
                    found[name] = _sum(one.others, one.seen, one)
        return found

    def take_news(self, silent_model: str) -> str:
        """Return what nobody was told yet of this window's cap, empty if all was said."""
        with self._lock:
            account = self._find(silent_model)
            if not account.is_news:
                return ""
            account.is_news = False
        end = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(account.window.end // _MICRO))
        return (
            f"of ${self._cap / NANO:g} until {end} is spent, or put aside for calls under way; "
            "it is played nothing more that costs as much"
        )

    # What follows is for the thread that fetches.

    def find_asks(self, *, are_due: bool) -> Sequence[tuple[Account, Ask]]:
        """Return what to tell the treasury now and to ask of it: of all accounts, if so `are_due`."""
        now = self._clock()
        window = self.window
        found: list[tuple[Account, Ask]] = []
        with self._lock:
            for name, account in tuple(self._accounts.items()):
                if account.window != window:
                    self._ending.append(self._accounts.pop(name))
                elif (ask := account.find_ask(now, is_due=are_due)) is not None:
                    found.append((account, ask))
        return found

    def take(self, account: Account, ask: Ask, granted: int, others: Spending) -> None:
        """Take what was granted, and hear what others have taken."""
        with self._lock:
            account.take(ask, granted, others, self._clock(), self._calendar())

    def hear(self, window: Window, everything: Mapping[str, Spending]) -> None:
        """Hear what all have taken in a window, this process included."""
        instant = self._calendar()
        with self._lock:
            self._seen = window, instant, everything
            for name, account in self._accounts.items():
                if account.window == window:
                    account.hear(everything.get(name, Spending()), instant)

    def find_ended(self, *, are_all: bool) -> Sequence[tuple[Account, Lease | None]]:
        """Return the accounts whose window is over and whose calls are, or all at the very end."""
        with self._lock:
            if are_all:
                self._ending += self._accounts.values()
                self._accounts.clear()
            ended = [one for one in self._ending if are_all or not one.reserved]
            return [(one, one.final()) for one in ended]

    def forget(self, account: Account) -> None:
        """Forget an account whose end was told."""
        with self._lock:
            self._ending.remove(account)

    def _find(self, silent_model: str) -> Account:
        window = self.window
        account = self._accounts.get(silent_model)
        if account is not None and account.window == window:
            return account
        if account is not None:
            self._ending.append(account)
        account = Account(secrets.token_hex(16), silent_model, window, self._cap)
        if self._seen is not None and self._seen[0] == window:
            account.hear(self._seen[2].get(silent_model, Spending()), self._seen[1])
        self._accounts[silent_model] = account
        return account


def _sum(others: Spending, seen: int, own: Account | None = None) -> Outlay:
    committed, free, overshoot = (own.committed, own.free, own.overshoot) if own else (0, 0, 0)
    return Outlay(
        others.spent + others.lost + committed,
        others.overshoot + overshoot,
        others.lost,
        others.leased + max(free, 0),
        seen,
    )

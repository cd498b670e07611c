"""A cap that many processes share: spent from leases in memory, which a thread fetches.

Only that thread ever waits for the treasury. Whoever wants money that is not there is told to wait
while it is being fetched, and not to while there is none, or nobody to ask.
"""

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from threading import Event, Thread
from typing import Final

from understudy.server.config.settings import BudgetSettings
from understudy.server.errors import RefusedError
from understudy.server.mirror.accounts import Accounts
from understudy.server.mirror.budget import NANO
from understudy.server.mirror.leasing import TELL_EVERY
from understudy.server.mirror.purse import Outlay, OwnPurse, Purse, Reservation
from understudy.server.mirror.shedding import Hold, Shed
from understudy.server.ports import Treasury

_LOG = logging.getLogger(__name__)

LOOK_EVERY: Final = 10.0  # seconds between looks at what others have spent
AWAY_WAIT: Final = 2.0  # seconds between tries while the treasury is away


def open_purse(
    settings: BudgetSettings,
    treasury: Treasury | None,
    calendar: Callable[[], int],
    on_money: Callable[[], None],
) -> Purse:
    """Return a process's money: its own, or from a treasury. `on_money` hears when to look again."""
    if treasury is None:
        return OwnPurse(settings.usd, settings.per)
    return SharedPurse(settings, treasury, calendar=calendar, on_money=on_money)


class SharedPurse:
    """Money from a treasury. `calendar` says microseconds since 1970, which windows go by."""

    def __init__(
        self,
        settings: BudgetSettings,
        treasury: Treasury,
        *,
        calendar: Callable[[], int],
        on_money: Callable[[], None],
    ) -> None:
        self.cap = round(settings.usd * NANO)
        self.per = settings.per
        self._treasury = treasury
        self._on_money = on_money
        self._accounts = Accounts(self.cap, settings.per, clock=time.monotonic, calendar=calendar)
        self._next_look = 0.0
        self._away = ""
        self._has_begun = False
        self._is_over = False
        self._wake = Event()
        self._ended: Future[None] = Future()
        # A daemon, because a store that hangs must not keep the process.
        self._thread = Thread(target=self._run, name="mirror-purse", daemon=True)

    def reserve(self, silent_model: str, cost: int, now: float) -> Reservation | Hold | Shed:
        """Put aside what a copy may cost; or return why it is shed, or what it must wait for."""
        found, is_low = self._accounts.reserve(silent_model, cost)
        if self._away or self._is_over:
            return Shed.BUDGET if found is Hold.MONEY else found
        if is_low:
            self._wake.set()
        return found

    def settle(self, silent_model: str, reservation: Reservation, cost: int | None) -> None:
        """Put what a copy cost in the place of what was put aside, in the window of that."""
        self._accounts.settle(reservation, cost)

    def outlays(self, now: float) -> Mapping[str, Outlay]:
        """Return what each silent model has cost in this window, for all who share the cap."""
        return self._accounts.outlays()

    def take_news(self, silent_model: str) -> str:
        """Return what nobody was told yet of why there is no money, empty if all was said."""
        # That the treasury is away, the thread has said.
        return "" if self._away or self._is_over else self._accounts.take_news(silent_model)

    def start(self) -> None:
        """Begin to fetch what is wanted."""
        self._has_begun = True
        self._thread.start()

    def close(self) -> Future[None]:
        """Lease nothing more, and give back what is left; return what is done when that is."""
        self._is_over = True
        self._wake.set()
        if not self._has_begun and not self._ended.done():
            self._ended.set_result(None)
        return self._ended

    # What follows happens in the thread.

    def _run(self) -> None:
        while not self._is_over:
            self._attempt(self._work)
            self._wake.wait(AWAY_WAIT if self._away else TELL_EVERY)
            self._wake.clear()
        self._attempt(self._finish)
        self._ended.set_result(None)

    def _attempt(self, work: Callable[[], None]) -> None:
        """Do what the treasury may not let us do; tell each change from the one to the other."""
        was_away = self._away
        try:
            work()
            self._away = ""
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the thread
            self._away = error.message if isinstance(error, RefusedError) else type(error).__name__
        if self._away and not was_away:
            _LOG.warning(
                "the budgets of silent models cannot be had: %s; copies that need more than was "
                "had before are shed, serving is not affected",
                self._away,
            )
        elif was_away and not self._away:
            _LOG.warning("the budgets of silent models can be had again")
        if self._away != was_away:
            self._on_money()

    def _work(self) -> None:
        # After a failure with all there is: what writes nothing does not show that it is over.
        for account, ask in self._accounts.find_asks(are_due=bool(self._away)):
            granted, others = self._treasury.hold(ask.lease, ask.decide)
            self._accounts.take(account, ask, granted, others)
            # Who came while this was being asked waits for it too, whatever it was asked for.
            if ask.wanted or granted > ask.lease.granted:
                self._on_money()
        self._end(are_all=False)
        now = time.monotonic()
        if self._away or now >= self._next_look:
            window = self._accounts.window
            self._accounts.hear(window, self._treasury.look(window))
            self._next_look = now + LOOK_EVERY

    def _finish(self) -> None:
        self._end(are_all=True)

    def _end(self, *, are_all: bool) -> None:
        for account, lease in self._accounts.find_ended(are_all=are_all):
            if lease is not None:
                self._treasury.end(lease)
            self._accounts.forget(account)

"""How a process gets by with what it has leased of a silent model's cap. Pure.

The most that a call can cost is reserved from the lease before it is sent, and what it did cost
takes the place of that afterwards. How much more is leased is a balance: a lease that is large is
rarely topped up, but keeps from others what they need, and is lost if its process dies.
"""

from dataclasses import dataclass, field, replace
from typing import Final

from understudy.server.domain.spending import Lease, Spending, Window

# Of what nobody has taken, no lease takes more at once: several processes share even a small cap,
# and the smaller the rest, the smaller the leases.
SHARE: Final = 16

# Calls, by the dearest reservation so far, that a lease has room for besides those under way.
# What a call really costs is mostly a fraction of that, so it lasts for many more.
CALLS_AHEAD: Final = 32

LOW: Final = 4  # of what was aimed at, less than a fourth is left: time to ask for more

IDLE: Final = 5.0  # seconds without a call until others may have what is left
TELL_EVERY: Final = 1.0  # seconds between words of what is spent, where nothing is asked for
ASK_AGAIN: Final = 1.0  # seconds after there was too little: others may give some back


@dataclass(frozen=True, slots=True)
class Ask:
    """A lease as it is at a moment, and what its process would like. Sums are 10^-9 dollars."""

    lease: Lease
    committed: int  # spent and reserved
    wanted: int  # 0: nothing waits for money
    ahead: int  # what would do for a while
    cap: int

    def decide(self, others: Spending) -> int:
        """Return what the lease is to hold in all, given what the others have taken.

        Never less than it holds, and never more than nobody else has taken.
        """
        held = max(self.lease.granted, self.committed)
        left = max(self.cap - others.taken - held, 0)
        free = held - self.committed
        wish = max(self.wanted, min(self.ahead, (left + free) // SHARE))
        return held + min(max(wish - free, 0), left)


@dataclass(slots=True)
class Account:
    """One process's lease for one silent model and window, as it is spent. Not locked.

    `used` and `asked` are when money was last reserved, and last asked for, in seconds of the
    process's clock; there is no point in asking for more before `refused`. `seen` is when `others`
    was so, in microseconds since 1970.
    """

    id: str
    silent_model: str
    window: Window
    cap: int
    granted: int = 0
    spent: int = 0
    reserved: int = 0
    overshoot: int = 0
    dearest: int = 0  # reservation so far
    wanted: int = 0
    used: float = 0.0
    asked: float = 0.0
    refused: float = 0.0
    others: Spending = field(default_factory=Spending)
    seen: int = 0
    told: Lease | None = None  # as the treasury has it; None: that is not known
    has_asked: bool = False
    is_news: bool = True  # that the cap is reached

    @property
    def committed(self) -> int:
        """What is spent, or may be by calls under way."""
        return self.spent + self.reserved

    @property
    def free(self) -> int:
        """What is left to reserve; below 0 after calls that cost more than was reserved."""
        return self.granted - self.committed

    @property
    def lease(self) -> Lease:
        """The lease as it is now."""
        return Lease(
            self.id, self.silent_model, self.window, self.granted, self.spent, self.overshoot
        )

    @property
    def is_low(self) -> bool:
        """Whether more should be had before it is needed."""
        return self.free < self._ahead // LOW and self.others.taken + self.granted < self.cap

    @property
    def _ahead(self) -> int:
        left = max(self.cap - self.others.taken - self.committed, 0)
        return min(CALLS_AHEAD * self.dearest, left // SHARE)

    def reserve(self, cost: int, now: float) -> bool:
        """Reserve what a call may cost; if there is not as much, remember that it is wanted."""
        self.used = now
        self.dearest = max(self.dearest, cost)
        if cost > self.free and cost:
            self.wanted = max(self.wanted, cost)
            return False
        self.reserved += cost
        return True

    def settle(self, reserved: int, cost: int | None) -> None:
        """Put what a call cost in the place of what was reserved; None: nobody knows."""
        charged = reserved if cost is None else cost
        self.reserved -= reserved
        self.spent += charged
        self.overshoot += max(charged - reserved, 0)

    def find_ask(self, now: float, *, is_due: bool = False) -> Ask | None:
        """Return what to tell the treasury and to ask of it, if there is anything.

        What an idle lease has left is no longer its own from then on.
        """
        if self.wanted <= self.free:
            self.wanted = 0  # it has come since
        wanted = self.wanted if now >= self.refused else 0
        is_idle = not wanted and now - self.used > IDLE
        if is_idle:
            self.granted = min(self.granted, max(self.committed, 0))
        is_low = not is_idle and self.is_low
        is_old = self.lease != self.told and now >= self.asked + TELL_EVERY
        if not (wanted or is_low or is_old or is_due):
            return None
        self.told, self.has_asked = None, True  # until it is heard whether it was written
        self.wanted, self.asked = 0, now
        ahead = CALLS_AHEAD * self.dearest if wanted or is_low else 0
        return Ask(self.lease, self.committed, wanted, ahead, self.cap)

    def take(self, ask: Ask, granted: int, others: Spending, now: float, instant: int) -> None:
        """Take what was granted, and hear what others have taken."""
        self.granted = granted
        self.others, self.seen = others, instant
        self.told = replace(ask.lease, granted=granted)
        if ask.wanted > granted - ask.committed:  # not `free`: some of that was reserved since
            self.refused = now + ASK_AGAIN

    def hear(self, everything: Spending, instant: int) -> None:
        """Hear what all have taken, this process included, as it told."""
        told = self.told
        if told is None:
            if not self.has_asked:
                self.others, self.seen = everything, instant
            return
        others = Spending(
            everything.spent - told.spent,
            everything.leased - max(told.granted - told.spent, 0),
            everything.lost,
            everything.overshoot - told.overshoot,
        )
        # Else others take this process for dead: it will hear better when it next asks.
        if others.leased >= 0:
            self.others, self.seen = others, instant

    def final(self) -> Lease | None:
        """Return the lease as it ends, if there is one: what is under way counts as spent."""
        if not self.has_asked and not self.committed:
            return None
        return replace(self.lease, spent=self.committed)

"""What the service and a report's process say to each other: an order, and what comes of it.

Each frame is four bytes of length and MessagePack. The order goes over a socket that has no other
holder, because it may carry a password: arguments and environments of processes can be read.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from understudy.server.domain.reports import Facts, Question, Report
from understudy.server.processes.refusals import Refused

HEAD: Final = 4  # bytes
LARGEST_FRAME: Final = 64 * 1024 * 1024  # bytes


class Order(Struct, frozen=True, kw_only=True):
    """What is to be computed, and of which records.

    `url` is `None` for SQLite in `file`. `environ` is what the driver of the database reads besides.
    `now` is in microseconds since 1970, `longest` in seconds.
    """

    url: str | None
    file: str
    environ: Mapping[str, str]
    question: Question
    facts: Facts
    now: int
    longest: float

    def __repr__(self) -> str:
        return f"Order({self.question})"


class Going(Struct, frozen=True, tag="going"):
    """How far it is, in [0, 1]."""

    share: float


class Done(Struct, frozen=True, tag="done"):
    """The report."""

    report: Report


class Broken(Struct, frozen=True, tag="broken"):
    """An error of our own, and where; without its text, which may quote what is recorded."""

    where: str


Saying = Going | Done | Refused | Broken

_ORDERS: Final = msgspec.msgpack.Decoder(Order)
_SAYINGS: Final = msgspec.msgpack.Decoder(Saying)


def frame(message: Order | Saying) -> bytes:
    """Return a message as it is sent."""
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(HEAD, "big") + body


def read_order(body: bytes) -> Order:
    """Return the order that a frame holds. Raises msgspec.DecodeError."""
    return _ORDERS.decode(body)


def read_saying(body: bytes) -> Saying:
    """Return what a frame says. Raises msgspec.DecodeError."""
    saying: Saying = _SAYINGS.decode(body)
    return saying

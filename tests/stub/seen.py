"""What the stub saw: connections and the requests on them, with the times of their ends."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal


@dataclass(slots=True, eq=False)
class Connection:
    """One connection. Instants are `time.monotonic()` seconds."""

    number: int
    opened: float
    requests: int = 0
    closed: float | None = None
    closed_by: Literal["client", "stub", ""] = ""


@dataclass(eq=False)
class Seen:
    """One request. `answered` is when its reply was written whole."""

    connection: Connection
    head: bytes
    body: bytes = field(repr=False)
    arrived: float
    model: str
    answered: float | None = None

    @cached_property
    def method(self) -> str:
        """The request's method."""
        return self.head.split(b" ", 1)[0].decode()

    @cached_property
    def path(self) -> str:
        """The request's target, its query included."""
        return self.head.split(b" ", 2)[1].decode()

    @cached_property
    def headers(self) -> dict[str, str]:
        """The request's headers, names in lower case."""
        return parse_headers(self.head)


def parse_headers(head: bytes) -> dict[str, str]:
    """Read the lines after the first, names in lower case."""
    pairs = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    return {name.lower(): value.strip() for name, colon, value in pairs if colon}

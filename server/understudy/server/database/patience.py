"""Connections to PostgreSQL that do not wait for ever: a server may hang with its sockets open."""

import time
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import OperationalError

T = TypeVar("T")

PING: Final = 2.0  # seconds for what takes a millisecond
_INTERVAL: Final = 0.1  # seconds between looks at the clock


class PatientConnection(psycopg.Connection[Any]):
    """Gives up, and the connection with it, when an answer takes longer than `longest` seconds.

    PostgreSQL ends its own statements in time, but not while it is stopped or cut off; and the
    kernel, which goes on acknowledging what is sent, sees nothing wrong then.
    """

    longest: float = PING

    def wait(self, gen: PQGen[T], *args: Any, **options: Any) -> T:
        """Wait for an answer. Raises OperationalError when it takes too long."""
        options["interval"] = _INTERVAL
        return super().wait(self._bound(gen), **options)

    def _bound(self, gen: PQGen[T]) -> PQGen[T]:
        deadline = time.monotonic() + self.longest
        try:
            state = next(gen)
            while True:
                ready = yield state
                if not ready and time.monotonic() > deadline:
                    self.pgconn.finish()  # nothing that is still to come may be taken for an answer
                    raise OperationalError(f"no answer within {self.longest:g} s")
                state = gen.send(ready)
        except StopIteration as end:
            found: T = end.value
            return found

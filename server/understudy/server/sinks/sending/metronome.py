"""Sends the newest state of something now and then, in a thread of its own.

For what is cumulative: a state that did not arrive needs no second try, the next one says it too.
"""

import logging
from collections.abc import Callable
from threading import Event, Thread

from understudy.server.sinks.sending.deliveries import Away, Courier, Delivered

_LOG = logging.getLogger(__name__)


class Metronome:
    """Asks for a state every `interval` seconds, and delivers it if there is any."""

    def __init__(
        self,
        name: str,
        courier: Courier,
        read: Callable[[], bytes | None],
        interval: float,
        timeout: float,
    ) -> None:
        self._name = name
        self._courier = courier
        self._read = read
        self._interval = interval
        self._timeout = timeout
        self._ending = Event()
        self._is_away = False
        self._thread = Thread(target=self._run, name=f"understudy-{name}", daemon=True)
        self._thread.start()

    def end(self, timeout: float) -> None:
        """Deliver a last time, for so many seconds at most. Waits for nothing."""
        self._timeout = max(0.0, min(self._timeout, timeout))
        self._ending.set()

    def join(self, timeout: float) -> None:
        """Wait until the last one is delivered, for so many seconds at most."""
        self._thread.join(max(0.0, timeout))
        self._courier.abort()

    def _run(self) -> None:
        while not self._ending.wait(self._interval):
            self._deliver()
        self._deliver()
        self._courier.close()

    def _deliver(self) -> None:
        try:
            body = self._read()
            if body is None or self._timeout <= 0:
                return
            outcome = self._courier.deliver(body, self._timeout)
        except Exception as error:  # noqa: BLE001 - nobody is above it
            _LOG.error("%s: not sent, an error of ours: %s", self._name, type(error).__name__)
            return
        if isinstance(outcome, Delivered):
            self._is_away = False
        elif not self._is_away:
            self._is_away = isinstance(outcome, Away)
            _LOG.warning("%s: %s; the next ones say it too", self._name, outcome.why)

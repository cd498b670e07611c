"""Delivers by HTTP/1.1 POST, over one connection that is kept.

The standard library's client, in the thread of a sink: nobody waits for it but what is to be sent.
Redirects are refused, since they would carry a key to another host, and proxies and netrc files
of the environment are not read.
"""

import gzip
import socket
import ssl
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, RemoteDisconnected
from time import time
from typing import Final

from understudy.server.sinks.sending.addresses import Address
from understudy.server.sinks.sending.deliveries import Away, Delivered, Outcome, Refused
from understudy.server.sinks.sending.timed_sockets import Deadline, TimedSocket, connect

_LONGEST_REPLY: Final = 64 * 1024  # bytes that are read of it
_WORTH_SQUEEZING: Final = 1024  # bytes


def count_none(_reply: bytes) -> int:
    """Return how many items a reply without such a thing says that it rejected."""
    return 0


class HttpCourier:
    """Brings bodies to one URL. `headers` may hold credentials and go nowhere else.

    `count_rejected` reads from the body of a good reply how many items were not taken.
    """

    def __init__(
        self,
        address: Address,
        headers: Mapping[str, str],
        context: ssl.SSLContext | None,
        *,
        squeeze: bool = False,
        count_rejected: Callable[[bytes], int] = count_none,
    ) -> None:
        self._address = address
        self._headers = {"accept-encoding": "identity", "user-agent": "understudy", **headers}
        self._context = context if address.secure else None
        self._squeeze = squeeze
        self._count_rejected = count_rejected
        self._connection: _Connection | None = None
        self._is_aborted = False

    def deliver(self, body: bytes, timeout: float) -> Outcome:
        """Try once, for so many seconds at most. Raises nothing."""
        headers = self._headers
        if self._squeeze and len(body) >= _WORTH_SQUEEZING:
            body = gzip.compress(body, 1)
            headers = {**headers, "content-encoding": "gzip"}
        deadline = Deadline(timeout)
        kept = self._connection is not None
        try:
            try:
                return self._post(body, headers, deadline)
            except (RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self.close()
                if not kept or self._is_aborted:
                    raise
                return self._post(body, headers, deadline)  # it had only gone stale
        except (OSError, HTTPException) as error:
            self.close()
            return Away(_say(error, self._address))

    def abort(self) -> None:
        """End what is under way, at once; nothing is delivered after it."""
        self._is_aborted = True
        connection = self._connection
        if connection is not None:
            connection.shut()

    def close(self) -> None:
        """Let the connection go."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _post(self, body: bytes, headers: Mapping[str, str], deadline: Deadline) -> Outcome:
        connection = self._connection
        if connection is None:
            connection = self._connection = _Connection(self._address, self._context)
        connection.use(deadline)
        if self._is_aborted:
            raise ConnectionAbortedError
        connection.request("POST", self._address.path or "/", body, headers)
        response = connection.getresponse()
        reply = response.read(_LONGEST_REPLY)
        if not response.isclosed():
            self.close()  # more than anybody reads
        if 200 <= response.status < 300:
            return Delivered(self._count_rejected(reply))
        retry_after = read_retry_after(response.headers.get("retry-after"), time())
        return judge(response.status, retry_after, str(self._address))


class _Connection(HTTPConnection):
    def __init__(self, address: Address, context: ssl.SSLContext | None) -> None:
        super().__init__(address.host, address.port)
        self._context = context
        self._deadline = Deadline(0)
        self._socket: TimedSocket | None = None

    def use(self, deadline: Deadline) -> None:
        """Be done with the next exchange by then."""
        self._deadline = deadline
        if self._socket is not None:
            self._socket.deadline = deadline

    def connect(self) -> None:
        self._socket = connect(self.host, self.port, self._context, self._deadline)
        self.sock = self._socket

    def shut(self) -> None:
        """Wake whoever waits for it."""
        if self._socket is not None:
            self._socket.shut()


def judge(status: int, retry_after: float | None, where: str) -> Outcome:
    """Return what a reply means that is no success."""
    said = f"{where} answered {status}"
    if status in (401, 403):
        return Away(f"{said}: it does not accept our credentials", retry_after)
    if 300 <= status < 400:
        return Away(f"{said}, a redirect, which is not followed", retry_after)
    if status in (404, 405):
        return Away(f"{said}: nothing takes what is sent to this path", retry_after)
    if status == 413:
        return Refused(f"{said}: too large", too_large=True)
    if status in (408, 425, 429, 502, 503, 504):
        return Away(said, retry_after)
    if status >= 500:
        return Away(said, retry_after, suspect=True)
    return Refused(said)


def read_retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for, `None` if it says nothing of use.

    `now` is in seconds since 1970.
    """
    if not value:
        return None
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _say(error: Exception, address: Address) -> str:
    match error:
        case TimeoutError():
            return f"{address} did not answer in time"
        case ConnectionRefusedError():
            return f"nothing answers at {address}"
        case socket.gaierror():
            return f"the host of {address} has no address"
        case ssl.SSLCertVerificationError():
            return f"the certificate of {address} is not trusted"
        case ssl.SSLError():
            return f"{address} does not speak TLS as we do"
        case ConnectionError():
            return f"{address} closed the connection"
        case OSError():
            return f"{address} cannot be reached"
        case _:
            return f"what answers at {address} does not speak HTTP"

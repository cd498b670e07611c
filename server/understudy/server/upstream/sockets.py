"""Sockets, made only for addresses that may be contacted, and counted while they are open.

aiohttp asks here for the socket of every connection, after the name is resolved and for literal
addresses too: so the address that is checked is the address that is contacted.
"""

import socket
from weakref import WeakSet

from understudy.server.upstream.addresses import Judge, find_refusal

AddressInfo = tuple[int, int, int, str, tuple[object, ...]]  # as of `socket.getaddrinfo`

# A model may think for minutes without a byte; gateways in between forget idle connections sooner.
_KEEPALIVE_SECONDS = 60


class AddressRefusedError(OSError):
    """The address must not be contacted."""


class SocketFactory:
    """Makes the sockets of one pool, for the addresses that its judge lets pass."""

    def __init__(self, judge: Judge = find_refusal) -> None:
        self._judge = judge
        self._made: WeakSet[socket.socket] = WeakSet()

    def __call__(self, info: AddressInfo) -> socket.socket:
        """Return a socket for the address, or raise AddressRefusedError."""
        family, kind, protocol, _, address = info
        if refusal := self._judge(str(address[0])):
            raise AddressRefusedError(f"its address is {refusal}")
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_SECONDS)
        self._made.add(made)
        return made

    @property
    def open_count(self) -> int:
        """How many of them are open."""
        return sum(one.fileno() >= 0 for one in self._made)

    def shut_down(self) -> None:
        """Cut every connection, whatever waits to be sent on it."""
        for one in self._made:
            if one.fileno() >= 0:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # not connected yet, or no longer

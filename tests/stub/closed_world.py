"""A world that ends at loopback: names are what a test says, and nothing leaves the machine."""

import errno
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

import pytest


class ClosedWorld:
    """Stands for the system's resolver and its network. `contacted` holds every address tried."""

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        self.names = dict(names)
        self.asked: list[str] = []
        self.contacted: list[str] = []

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Take the place of both until the test ends."""
        look_up, connect = socket.getaddrinfo, socket.socket.connect

        def getaddrinfo(host: Any, port: Any, *arguments: Any, **named: Any) -> list[Any]:
            self.asked.append(host)
            if host not in self.names:
                return look_up(host, port, *arguments, **named)
            return [
                (family_of(one), socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (one, port or 0))
                for one in self.names[host]
            ]

        def connect_if_local(made: socket.socket, address: Any) -> None:
            if made.family in (socket.AF_INET, socket.AF_INET6):
                self.contacted.append(address[0])
                if address[0] not in ("127.0.0.1", "::1"):
                    raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
            connect(made, address)

        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        patch.setattr(socket.socket, "connect", connect_if_local)


def family_of(address: str) -> int:
    """Return the family of a numeric address."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET

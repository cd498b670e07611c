"""Which names a browser may ask for the dashboard by. Pure.

A page of somebody else's may make its own name point here (DNS rebinding); then the browser takes
us for it, and asks by that name. So only names that are ours are answered.
"""

import ipaddress
from collections.abc import Iterable


class Hosts:
    """The names of the dashboard: loopback's, the one it listens on, and those configured.

    Where it listens on all addresses, any address is one of them: an address cannot be made to
    point elsewhere.
    """

    def __init__(self, host: str, names: Iterable[str] = ()) -> None:
        listening = _address(host)
        self._any_address = listening is not None and listening.is_unspecified
        self._names = {_plain(one) for one in (host, *names)} | {"localhost"}

    def knows(self, header: str) -> bool:
        """Whether a Host header names the dashboard; its port may be a tunnel's."""
        name = split_port(header)
        if name is None:
            return False
        if name in self._names:
            return True
        address = _address(name)
        return address is not None and (self._any_address or address.is_loopback)


def split_port(header: str) -> str | None:
    """Return the name in a Host header in lower case, `None` if it is none."""
    name, port = header, ""
    if header.startswith("["):
        name, bracket, port = header.partition("]")
        name, port = (name + bracket, port.removeprefix(":")) if bracket else ("", "")
    elif ":" in header:
        name, _, port = header.partition(":")
    if not name or (port and not (port.isascii() and port.isdigit())):
        return None
    return _plain(name)


def _plain(name: str) -> str:
    return name.strip("[]").lower().removesuffix(".")


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return None

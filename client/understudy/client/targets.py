"""Reads where the service is. Pure: looking up names is passed in.

A target is `host:port`, a comma list of them, `unix:/path`, or a `dns:///host:port` whose
addresses gRPC looks up by itself, and again whenever they fail.
"""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

DEFAULT_TARGET: Final = "localhost:50051"
DEFAULT_PORT: Final = 50051

Lookup = Callable[[str, int], Sequence[str]]
"""Returns the IP addresses of a host, none if it has no such name."""


@dataclass(frozen=True, slots=True)
class Place:
    """A host, by name or IP address, and a port."""

    host: str
    port: int

    @property
    def is_address(self) -> bool:
        """Whether the host is an IP address."""
        return _read_address(self.host) is not None

    @property
    def is_loopback(self) -> bool:
        """Whether what is sent there stays on this machine."""
        address = _read_address(self.host)
        if address is None:
            return self.host == "localhost" or self.host.endswith(".localhost")
        return address.is_loopback

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target:
    """Where the service is, as written, and what that means.

    `uri` is set where gRPC understands the target by itself.
    """

    text: str
    places: tuple[Place, ...]
    uri: str = ""

    @property
    def is_loopback(self) -> bool:
        """Whether what is sent there stays on this machine."""
        if self.places:
            return all(place.is_loopback for place in self.places)
        return self.uri.startswith(("unix:", "unix-abstract:"))

    @property
    def is_list(self) -> bool:
        """Whether we made a list of addresses, which has no host name of its own."""
        return len(self.places) > 1

    @property
    def needs_lookup(self) -> bool:
        """Whether `resolve` has names to look up."""
        return not self.uri and not all(place.is_address for place in self.places)


def read_target(text: str) -> Target:
    """Return what a target means. Raises ValueError for one that means nothing."""
    written = text.strip()
    if written.startswith(("unix:", "unix-abstract:")):
        return Target(written, (), written)
    if written.startswith("dns:"):
        host = written.removeprefix("dns:").rpartition("/")[2]
        return Target(written, (_read_place(host, written),), written)
    if "://" in written:
        raise ValueError(
            f"target {written!r}: write host:port, a comma list, dns:///host:port or unix:/path"
        )
    places = tuple(_read_place(one.strip(), written) for one in written.split(","))
    return Target(written, places, str(places[0]) if len(places) == 1 else "")


def resolve(target: Target, lookup: Lookup) -> str:
    """Return the URI by which gRPC reaches a target.

    gRPC takes a list of addresses, all of one family, and no list of names. So the names in a
    list are looked up here, once; those without an address are left out while others have one.
    Raises LookupError if none has.
    """
    if target.uri:
        return target.uri
    found = [
        Place(address, place.port)
        for place in target.places
        for address in ([place.host] if place.is_address else lookup(place.host, place.port))
    ]
    if not found:
        raise LookupError(f"no host of {target.text} has an address")
    if all(ipaddress.ip_address(place.host).version == 4 for place in found):
        return "ipv4:" + ",".join(map(str, dict.fromkeys(found)))
    return "ipv6:" + ",".join(map(str, dict.fromkeys(map(_as_ipv6, found))))


def _as_ipv6(place: Place) -> Place:
    address = ipaddress.ip_address(place.host)
    return place if address.version == 6 else Place(f"::ffff:{address}", place.port)


def _read_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _read_place(text: str, whole: str) -> Place:
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        port = rest[1:] if closed and rest[:1] in ("", ":") else text
    elif text.count(":") > 1:
        host, port = text, ""  # a bare IPv6 address
    else:
        host, _, port = text.partition(":")
    if not host or any(character.isspace() or character in "/@" for character in host):
        raise ValueError(f"target {whole!r}: {text!r} is not host:port")
    if not port:
        return Place(host, DEFAULT_PORT)
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(f"target {whole!r}: {port!r} is not a port")
    return Place(host, int(port))

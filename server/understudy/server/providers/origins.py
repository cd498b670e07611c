"""Reads URLs that are compared before they are used: one spelling for each origin, or a refusal.

Strict on purpose. Libraries disagree on what `127.1`, `①②⑦.0.0.1` or `a@b` means, and whoever
compares by one reading and connects by another compares nothing. What addresses a name leads to
is `upstream`'s affair. Pure.
"""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import idna

LONGEST = 2048  # characters of a URL, or of a name that holds one

_PORTS = {"https": 443, "http": 80}
_SHAPE = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[^\[\]/:]+)"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>/.*)?"
)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")
# What some libraries read as an IPv4 address: decimal, octal or hexadecimal, with or without dots.
_NUMERIC = re.compile(r"([0-9]+|0x[0-9a-f]*)")
_LONGEST_HOST = 253


class MalformedError(ValueError):
    """A URL that is not taken. The message follows it; `secret` says not to repeat the URL."""

    def __init__(self, message: str, *, secret: bool = False) -> None:
        super().__init__(message)
        self.secret = secret


@dataclass(frozen=True, slots=True)
class Location:
    """A URL in its one spelling. The path is empty or begins, and does not end, with a slash."""

    origin: str
    host: str  # an IPv6 address without its brackets
    path: str = ""

    @property
    def url(self) -> str:
        """The whole."""
        return self.origin + self.path

    @property
    def encrypted(self) -> bool:
        """Whether it is reached by https."""
        return self.origin.startswith("https:")


def read_location(url: str) -> Location:
    """Return a URL in its one spelling. Raises MalformedError."""
    if len(url) > LONGEST:
        raise MalformedError(f"is longer than {LONGEST} characters")
    if not url.isprintable() or " " in url or "\\" in url:
        raise MalformedError("holds a space, a backslash or a control character")
    if "@" in url:
        raise MalformedError("holds a user name or password, or an @", secret=True)
    if "?" in url or "#" in url:
        raise MalformedError("holds a query or a fragment", secret=True)
    match = _SHAPE.fullmatch(url)
    if match is None:
        raise MalformedError("is not of the form https://host or https://host:port")
    scheme = match["scheme"].lower()
    if scheme not in _PORTS:
        raise MalformedError("is not an http:// or https:// URL")
    port = int(match["port"] or _PORTS[scheme])
    if port > 65535:
        raise MalformedError("has a port beyond 65535")
    path = match["path"] or ""
    if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        raise MalformedError("has a path with more than letters, digits and . _ ~ - between /")
    host = _read_host(match["host"])
    bracketed = f"[{host}]" if ":" in host else host
    origin = f"{scheme}://{bracketed}" + ("" if port == _PORTS[scheme] else f":{port}")
    return Location(origin, host, path.rstrip("/"))


def _read_host(text: str) -> str:
    if "*" in text:
        raise MalformedError("holds a wildcard; anyone may register a host beneath, so name each")
    if "%" in text:
        raise MalformedError("has a host with a percent sign; write it plainly")
    if text.startswith("["):
        try:
            return str(IPv6Address(text[1:-1]))
        except AddressValueError:
            raise MalformedError("has a host that is no IPv6 address") from None
    host = text.lower().removesuffix(".")
    if not host.isascii():
        host = _to_ascii(host)
    labels = host.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(host))
        except AddressValueError:
            raise MalformedError(
                "has a host that some read as an IPv4 address; write it as four decimal numbers"
            ) from None
    if len(host) > _LONGEST_HOST or not all(_LABEL.fullmatch(one) for one in labels):
        raise MalformedError("has a host that is no name")
    return host


def _to_ascii(host: str) -> str:
    # Not with UTS 46, and not by Python's own codec: both turn ① into 1.
    try:
        return idna.encode(host, strict=True, std3_rules=True).decode()
    except (idna.IDNAError, UnicodeError):
        raise MalformedError("has a host that is no name") from None

"""Where a receiver is: a URL, taken apart and found fit to be sent to. Pure."""

from dataclasses import dataclass
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


class AddressError(ValueError):
    """A URL that nothing can be sent to. The message says why, without repeating it."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host, how to speak to it, and the path there. IPv6 addresses stand without brackets."""

    host: str
    port: int
    path: str = ""  # begins with a slash unless empty, never ends with one
    secure: bool = True

    def __str__(self) -> str:
        return self.authority

    @property
    def authority(self) -> str:
        """Host and port, as in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def below(self, path: str) -> "Address":
        """Return the address of a path below this one, or this one if it ends so already."""
        whole = self.path if self.path.endswith(path) else self.path + path
        return Address(self.host, self.port, whole, self.secure)


def read_address(url: str) -> Address:
    """Take a URL apart. Raises AddressError; what it says shows nothing of the URL."""
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise AddressError("must be a URL of printable ASCII without spaces")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressError("must be a URL, such as https://host:4318") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise AddressError("must be a URL that begins with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise AddressError("must hold no user or password; write them as a header")
    if parts.query or parts.fragment:
        raise AddressError("must have no query and no fragment")
    secure = parts.scheme == "https"
    return Address(parts.hostname, port or _PORTS[parts.scheme], parts.path.rstrip("/"), secure)

"""What a store of objects is to us, and where it is: the address in the configuration.

The stores themselves are `folder` and `remote`. Pure.
"""

from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from understudy.server.errors import ConfigError

SETTING: Final = "understudy.sinks.bucket"

_SCHEMES: Final = frozenset({"s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl", "file"})


class StoreError(Exception):
    """The store did not take an object. Its words are ours, and hold no credential and no text."""


class ObjectStore(Protocol):
    """Holds objects by key."""

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Write an object whole, over one that has its key. Raises StoreError."""
        ...


@dataclass(frozen=True, slots=True)
class Address:
    """Where objects go. `text` is how it is shown; `prefix` has no slash at either end."""

    scheme: str
    bucket: str
    prefix: str

    @property
    def text(self) -> str:
        """The address for people."""
        return f"{self.scheme}://{self.bucket}/{self.prefix}".removesuffix("/")


def read_address(url: str | None) -> Address:
    """Return what a URL says. Raises ConfigError, without the URL, which may hold a password."""
    if url is None:
        raise _fault("is missing: say where to, such as s3://bucket/prefix or file:///folder")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _fault("must be a URL such as s3://bucket/prefix") from None
    scheme = parts.scheme.lower()
    if scheme not in _SCHEMES:
        raise _fault("must begin with s3://, gs://, az:// or file://")
    if "@" in parts.netloc and scheme not in ("abfs", "abfss"):
        raise _fault("must not hold credentials")
    if parts.query or parts.fragment:
        raise _fault("must end with the prefix, without ? and #")
    steps = [one for one in parts.path.split("/") if one]
    if not {".", ".."}.isdisjoint(steps):
        raise _fault("must not hold . or .. as a step")
    prefix = "/".join(steps)
    if scheme == "file":
        if parts.netloc not in ("", "localhost") or not prefix:
            raise _fault("must name a folder by its whole path, such as file:///var/log/calls")
        return Address("file", "", unquote(prefix))
    if not parts.netloc:
        raise _fault(f"must name a bucket, such as {scheme}://bucket/prefix")
    return Address(scheme, parts.netloc, prefix)


def _fault(words: str) -> ConfigError:
    return ConfigError([f"{SETTING}.url: {words}"])

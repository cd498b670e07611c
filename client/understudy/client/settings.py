"""What a client is made with: arguments first, then the environment, then defaults.

Values only; reading the certificate files and opening channels is `channels`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from understudy.client.targets import DEFAULT_TARGET, Target, read_target

ENVIRONMENT: Final = (
    "UNDERSTUDY_TARGET",
    "UNDERSTUDY_API_KEY",
    "UNDERSTUDY_CA_FILE",
    "UNDERSTUDY_TIMEOUT",
)

# What a server allows by default.
DEFAULT_TIMEOUT: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How to know the server, and how to be known by it. Each file is PEM."""

    ca_file: str | None = None
    """The authorities to trust; by default those that gRPC brings along."""

    cert_file: str | None = None
    """Our certificate, where the server asks for one."""

    key_file: str | None = None
    """The key of `cert_file`."""

    server_name: str | None = None
    """The name in the server's certificate, where it is not the host of the target."""

    def __post_init__(self) -> None:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("tls: cert_file and key_file come together")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the service is, and how to reach it. Two clients may share what has equal settings."""

    target: Target
    api_key: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    timeout: float = DEFAULT_TIMEOUT

    @property
    def tells_key_in_clear(self) -> bool:
        """Whether the key can be read on the way."""
        return self.api_key is not None and self.tls is None and not self.target.is_loopback


def read_settings(
    target: str | None,
    api_key: str | None,
    tls: bool | Tls | Mapping[str, str] | None,
    timeout: float | None,
    environment: Mapping[str, str],
) -> Settings:
    """Return settings; what is `None` is taken from the environment.

    Raises ValueError or TypeError for a value that means nothing, and never quotes a key.
    """
    where = read_target(target or environment.get("UNDERSTUDY_TARGET") or DEFAULT_TARGET)
    key = api_key if api_key is not None else environment.get("UNDERSTUDY_API_KEY")
    secured = _read_tls(tls, environment.get("UNDERSTUDY_CA_FILE"))
    if secured is not None and secured.server_name is None and where.is_list:
        hosts = {place.host for place in where.places}
        if len(hosts) > 1:
            raise ValueError(
                f"target {where.text!r}: with TLS, several hosts need one name that is in the "
                "certificates of all: tls=Tls(server_name=...)"
            )
    return Settings(
        target=where,
        api_key=_read_key(key),
        tls=secured,
        timeout=_read_environment_timeout(environment)
        if timeout is None
        else check_timeout(timeout),
    )


def check_timeout(timeout: float) -> float:
    """Return a timeout in seconds. Raises ValueError unless it is finite and above 0."""
    if not 0 < timeout < math.inf:
        raise ValueError(f"timeout: a number of seconds above 0 is needed, not {timeout!r}")
    return float(timeout)


def _read_environment_timeout(environment: Mapping[str, str]) -> float:
    text = environment.get("UNDERSTUDY_TIMEOUT")
    if not text:
        return DEFAULT_TIMEOUT
    try:
        return check_timeout(float(text))
    except ValueError:
        raise ValueError(
            f"UNDERSTUDY_TIMEOUT: a number of seconds above 0 is needed, not {text!r}"
        ) from None


def _read_key(text: str | None) -> str | None:
    key = (text or "").strip()  # a key from a file often ends in a newline
    if not all("!" <= character <= "~" for character in key):
        # gRPC would say the same, and quote the key.
        raise ValueError("api_key: a key has printable ASCII characters only, and no blank")
    return key or None


def _read_tls(tls: bool | Tls | Mapping[str, str] | None, ca_file: str | None) -> Tls | None:
    match tls:
        case None:
            return Tls(ca_file=ca_file) if ca_file else None
        case False:
            return None
        case True:
            return Tls(ca_file=ca_file or None)
        case Tls():
            return tls
        case _:
            return Tls(**tls)

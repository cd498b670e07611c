"""How requests leave: whom TLS trusts, and what goes through a proxy.

Nothing here reads the environment: not `HTTPS_PROXY`, not `SSL_CERT_FILE`, not `~/.netrc`.
"""

import base64
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import ip_address, ip_network
from pathlib import Path
from threading import Lock
from urllib.parse import unquote, urlsplit

import certifi
import httpx

from understudy.server.domain.deployment import Trust

USUAL = Trust()


@dataclass(frozen=True, slots=True)
class _Made:
    context: ssl.SSLContext
    digest: bytes  # of what its files held


class TlsContexts:
    """One TLS context for each way to trust, for all upstreams of a service to share.

    `ca_file` holds authorities that are trusted besides, whatever an endpoint says.
    """

    def __init__(self, ca_file: str | None = None) -> None:
        self._ca_file = ca_file
        self._made: dict[Trust, _Made] = {}
        self._making = Lock()

    def find(self, trust: Trust) -> ssl.SSLContext:
        """Return the context. Raises OSError for a file that holds no certificates.

        Blocks for some milliseconds the first time, while it reads files.
        """
        found = self._made.get(trust)
        if found is None:
            with self._making:
                found = self._made[trust] = self._made.get(trust) or self._make(trust)
        return found.context

    def adopt(self, other: "TlsContexts") -> None:
        """Use what another has read since, but where its files held the same as before.

        There the context stays, and with it the connections that were made by it.
        """
        with self._making:
            for trust, made in other._made.items():
                known = self._made.get(trust)
                if known is None or known.digest != made.digest:
                    self._made[trust] = made
            self._ca_file = other._ca_file

    def _make(self, trust: Trust) -> _Made:
        if not trust.verify:
            return _Made(_make_heedless(), b"")
        files = [one for one in (self._ca_file, trust.ca_file) if one]
        return _make_careful(files)


def _make_careful(ca_files: Iterable[str]) -> _Made:
    """Trust the system's authorities, or certifi's where it has none, and those in `ca_files`."""
    context, digest = _make_bare(), sha256()
    # `load_default_certs` would let SSL_CERT_FILE and SSL_CERT_DIR override these paths.
    system = Path(ssl.get_default_verify_paths().openssl_cafile)
    for file in (str(system) if system.exists() else certifi.where(), *ca_files):
        digest.update(sha256(Path(file).read_bytes()).digest())
        context.load_verify_locations(file)
    return _Made(context, digest.digest())


def _make_bare() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificates and host names
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _make_heedless() -> ssl.SSLContext:
    context = _make_bare()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@dataclass(frozen=True, slots=True)
class Proxy:
    """A forward proxy, and the hosts that are reached without it.

    An entry of `no_proxy` is `*`, a host with its subdomains, an address, or a network.
    """

    url: str = field(repr=False)
    no_proxy: tuple[str, ...] = ()

    def serves(self, host: str) -> bool:
        """Tell whether requests to a host go through it."""
        return not any(_covers(entry.strip().lower(), host.lower()) for entry in self.no_proxy)

    @property
    def headers(self) -> dict[str, str]:
        """What the proxy itself is to read: the credentials that its URL holds, if any."""
        parts = urlsplit(self.url)
        if not parts.username and not parts.password:
            return {}
        pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        return {"proxy-authorization": "Basic " + base64.b64encode(pair.encode()).decode()}

    def to_httpx(self) -> httpx.Proxy:
        """Return it as httpx's transport takes it."""
        # With its credentials in the URL, aiohttp would warn at each request of a deprecation.
        bare = httpx.URL(self.url).copy_with(username=None, password=None)
        return httpx.Proxy(bare, headers=self.headers)


def _covers(entry: str, host: str) -> bool:
    if entry == "*":
        return True
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        domain = entry.lstrip(".")
        return bool(domain) and (host == domain or host.endswith(f".{domain}"))

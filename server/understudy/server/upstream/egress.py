"""How requests leave: whom TLS trusts, and what goes through a proxy.

Nothing here reads the environment: not `HTTPS_PROXY`, not `SSL_CERT_FILE`, not `~/.netrc`.
"""

import base64
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import unquote, urlsplit

import certifi
import httpx


def make_tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Trust the system's authorities, or certifi's where it has none, and those in `ca_file`.

    Blocks while it reads the files; make it once, and let every upstream share it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificates and host names
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # `load_default_certs` would let SSL_CERT_FILE and SSL_CERT_DIR override these paths.
    system = Path(ssl.get_default_verify_paths().openssl_cafile)
    context.load_verify_locations(system if system.exists() else certifi.where())
    if ca_file is not None:
        context.load_verify_locations(ca_file)
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

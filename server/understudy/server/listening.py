"""How the service listens: where, over TLS or not, and whether it may without keys."""

import ipaddress
from pathlib import Path

import grpc

from understudy.server.config import ServerSettings, TlsSettings
from understudy.server.errors import ConfigError


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_exposure(settings: ServerSettings) -> list[str]:
    """Return what an operator must be warned of. Raises ConfigError for an open door.

    Beyond loopback the service wants keys, or client certificates, or to be told that it is to
    be insecure.
    """
    proven = bool(settings.api_keys) or settings.tls.client_ca_file is not None
    if is_loopback(settings.host) or (proven and settings.tls.cert_file is not None):
        return []
    if not proven and not settings.insecure:
        raise ConfigError(
            [
                (
                    f"understudy.server.host: {settings.host!r} can be reached from other "
                    "machines, and everybody there could spend on your keys; set "
                    "understudy.server.api_keys, or tls.client_ca_file, or insecure: true if "
                    "something in front sees to that"
                )
            ]
        )
    if not proven:
        return [f"insecure: everybody who can reach {settings.host} may call and change everything"]
    return [f"no TLS: keys and prompts travel to {settings.host} in the clear"]


def credentials(tls: TlsSettings) -> grpc.ServerCredentials | None:
    """Return what TLS needs, or None without it. Raises ConfigError for a file that is not there.

    With a client CA every client must bring a certificate, unless keys are accepted as well.
    """
    if tls.cert_file is None or tls.key_file is None:
        return None
    pairs = [(_read(tls.key_file, "key_file"), _read(tls.cert_file, "cert_file"))]
    if tls.client_ca_file is None:
        return grpc.ssl_server_credentials(pairs)
    return grpc.ssl_server_credentials(
        pairs,
        root_certificates=_read(tls.client_ca_file, "client_ca_file"),
        require_client_auth=True,
    )


def _read(path: str, key: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError([f"understudy.server.tls.{key}: {error.strerror}: {path}"]) from error

"""How the service listens: where, over TLS or not, and whether it may without keys."""

import ipaddress
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

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


@dataclass(frozen=True, slots=True)
class Pems:
    """What the files of `understudy.server.tls` hold. `client_ca` is None without one."""

    key: bytes = field(repr=False)
    cert: bytes
    client_ca: bytes | None


def read_pems(tls: TlsSettings) -> Pems | None:
    """Return what the files hold, or None where there is no TLS. Blocks.

    Raises ConfigError for a file that is not there or not what it should be.
    """
    if tls.cert_file is None or tls.key_file is None:
        return None
    cert, key = _read(tls.cert_file, "cert_file"), _read(tls.key_file, "key_file")
    # What grpc cannot use it would only ever log, and each client would be turned away.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # The empty password is for a key that needs one: without, OpenSSL asks the terminal.
        context.load_cert_chain(tls.cert_file, tls.key_file, password="")
    except (OSError, ValueError) as error:
        told = "is no certificate with its unencrypted key in key_file, both PEM"
        raise ConfigError([f"understudy.server.tls.cert_file: {told}: {tls.cert_file}"]) from error
    if tls.client_ca_file is None:
        return Pems(key, cert, None)
    client_ca = _read(tls.client_ca_file, "client_ca_file")
    try:
        context.load_verify_locations(tls.client_ca_file)
    except OSError as error:
        told = f"holds no certificate, or none that is PEM: {tls.client_ca_file}"
        raise ConfigError([f"understudy.server.tls.client_ca_file: {told}"]) from error
    return Pems(key, cert, client_ca)


class Certificates:
    """What the service shows to those who connect, and accepts of them.

    With a client CA every client must bring a certificate. Whether there is TLS, and a client CA,
    is settled once; which, may change while it listens: connections there are stay as they are.
    """

    def __init__(self, pems: Pems | None) -> None:
        self._pems = pems
        self._used = pems  # by grpc, which asks for others

    @property
    def credentials(self) -> grpc.ServerCredentials | None:
        """What a server listens with; None where there is no TLS."""
        if self._pems is None:
            return None
        return grpc.dynamic_ssl_server_credentials(
            _configure(self._pems),
            # Its annotation lacks the None that its documentation asks for.
            cast("Callable[[], grpc.ServerCertificateConfiguration]", self._find_other),
            require_client_authentication=self._pems.client_ca is not None,
        )

    def use(self, pems: Pems | None) -> bool:
        """Use others from now on; return whether they differ.

        What is settled stays: of TLS that is no longer wanted, or a client CA, the last is kept.
        """
        old = self._pems
        if old is None or pems is None:
            return False
        if (old.client_ca is None) != (pems.client_ca is None):
            pems = replace(pems, client_ca=old.client_ca)
        if pems == old:
            return False
        self._pems = pems
        return True

    def _find_other(self) -> grpc.ServerCertificateConfiguration | None:
        """Return what is to be used now if it is something else; asked for each new connection.

        In a thread of grpc's, but by one at a time.
        """
        pems = self._pems
        if pems is None or pems is self._used:
            return None
        self._used = pems
        return _configure(pems)


def _configure(pems: Pems) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(pems.key, pems.cert)], root_certificates=pems.client_ca
    )


def _read(path: str, key: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError([f"understudy.server.tls.{key}: {error.strerror}: {path}"]) from error

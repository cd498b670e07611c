"""Where the dashboard listens, and what a browser is told to ask for."""

import socket
from dataclasses import dataclass

from understudy.server.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen, and by which names browsers ask. Paths of PEM files, or no TLS."""

    host: str
    port: int
    names: tuple[str, ...] = ()
    cert_file: str | None = None
    key_file: str | None = None

    def url(self, port: int) -> str:
        """Return the URL of the port that was found free, or asked for."""
        # Every address of this machine is none that a browser could ask for.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if self.cert_file is not None else 'http'}://{shown}:{port}"


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises ConfigError if there can be none."""
    try:
        family, kind, proto, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, proto)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen(128)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise ConfigError(
            [
                (
                    f"understudy.dashboard.port: cannot listen on {host}:{port}: "
                    f"{error.strerror}; if another program has the port, choose another or 0 for "
                    "a free one, or switch the dashboard off with understudy.dashboard.enabled: "
                    "false"
                )
            ]
        ) from error
    return listener

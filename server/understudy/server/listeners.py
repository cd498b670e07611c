"""Opens the sockets that browsers and scrapers come to."""

import socket

from understudy.server.errors import ConfigError

_WAITING = 128  # who may wait to be let in


def listen(host: str, port: int, setting: str) -> socket.socket:
    """Return a listening socket, which blocks nobody. `setting` is the section that it is set in.

    Raises ConfigError if there can be none.
    """
    try:
        family, kind, proto, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, proto)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen(_WAITING)
            listener.setblocking(False)  # who has gone before it is let in must not hold us up
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise ConfigError(
            [
                (
                    f"{setting}.port: cannot listen on {host}:{port}: {error.strerror}; if "
                    "another program has the port, choose another or 0 for a free one, or switch "
                    f"this off with {setting}.enabled: false"
                )
            ]
        ) from error
    return listener

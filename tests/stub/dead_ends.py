"""Places where nobody answers: a port that refuses, and one that accepts nothing."""

import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

_BACKLOG_FILLERS = 4


@contextmanager
def refusing_port() -> Generator[int]:
    """Yield a loopback port that refuses connections; it is held, so nobody else takes it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


@contextmanager
def black_hole() -> Generator[int]:
    """Yield a loopback port whose backlog is full: packets to it are dropped, as by a firewall."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(_BACKLOG_FILLERS):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])

"""What a page is: an address, the RPC that it stands for, and what answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.responses import Response

from understudy.server.dashboard.visit import Visit


@dataclass(frozen=True, slots=True)
class Page:
    """An address and what answers there. `call` is the RPC whose role it takes.

    With `changes` it is a POST: the form is read, and refused without its token. A `part` is
    loaded by a page again and again; it sends nobody to log in.
    """

    path: str
    call: str
    answer: Callable[[Visit], Awaitable[Response]]
    changes: bool = False
    part: bool = False


@dataclass(frozen=True, slots=True)
class NavEntry:
    """What leads to a page, for those who may call its RPC."""

    title: str
    path: str
    call: str

"""`understudy`, as its operators start it, with a window: `python -m tests.faults.watched serve …`.

The window is a Unix socket at `$UNDERSTUDY_WINDOW`; whoever connects is told, as JSON, what the
process holds. Names below `.hung.test` never resolve here, as behind a name server that is away.
"""

import asyncio
import gc
import json
import os
import socket
import threading
import time
from collections import Counter
from typing import Any, cast

from understudy.server.__main__ import main
from understudy.server.upstream import HttpUpstream

_GIVES_UP = 1.5  # seconds until a hung look-up ends

_resolve = socket.getaddrinfo


def _resolve_or_hang(host: Any, *others: Any, **options: Any) -> Any:
    if str(host).endswith(".hung.test"):
        time.sleep(_GIVES_UP)
        raise socket.gaierror(socket.EAI_AGAIN, "no name server answers")
    return _resolve(host, *others, **options)


def count() -> dict[str, object]:
    """Return what the process holds: unfinished tasks by name, and connections to providers."""
    gc.unfreeze()  # the collector does not tell of what was frozen once the service served
    gc.collect()
    tasks: Counter[str] = Counter()
    connections = 0
    for one in gc.get_objects():
        if isinstance(one, asyncio.Task):
            task = cast("asyncio.Task[object]", one)
            if not task.done():
                tasks[_name(task)] += 1
        elif isinstance(one, HttpUpstream):
            connections += one.open_connections
    return {"tasks": tasks, "connections": connections}


def _name(task: asyncio.Task[object]) -> str:
    work: object = task.get_coro()
    return str(getattr(work, "__qualname__", "?"))


def _look_out(listener: socket.socket) -> None:
    while True:
        caller, _ = listener.accept()
        with caller:
            caller.sendall(json.dumps(count()).encode())


if __name__ == "__main__":
    socket.getaddrinfo = _resolve_or_hang
    window = socket.socket(socket.AF_UNIX)
    window.bind(os.environ["UNDERSTUDY_WINDOW"])
    window.listen()
    threading.Thread(target=_look_out, args=(window,), daemon=True).start()
    main()

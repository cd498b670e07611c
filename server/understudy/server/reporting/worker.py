"""The process that computes one report: it takes its order, tells how far it is, and ends.

What is computed is handed in. Nobody but the service starts this, and it ends with the service.
"""

import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from understudy.server.database.engine import open_engine
from understudy.server.domain.deployment import Secret
from understudy.server.domain.reports import Facts, Progress, Question, Report, Update
from understudy.server.errors import ConfigError, UnderstudyError
from understudy.server.processes.refusals import write_error
from understudy.server.reporting.wire import (
    HEAD,
    Broken,
    Done,
    Going,
    Order,
    Saying,
    frame,
    read_order,
)

Compute = Callable[[Engine, Question, Facts, int], Iterator[Update]]

_BETWEEN: Final = 0.1  # seconds between two words on how far it is


def work(link: socket.socket, compute: Compute) -> None:
    """Compute what is ordered over a connected socket. Returns when all is said."""
    stream = link.makefile("rb")
    order = read_order(_read_frame(stream))
    threading.Thread(target=_end_with, args=(stream,), daemon=True).start()
    os.environ.update(order.environ)
    for saying in _say(order, compute):
        link.sendall(frame(saying))


def _say(order: Order, compute: Compute) -> Iterator[Saying]:
    try:
        yield from _compute(order, compute)
    except UnderstudyError as error:
        yield write_error(error)
    except Exception as error:  # noqa: BLE001 - whoever asked must hear something
        yield Broken(_where(error))


def _compute(order: Order, compute: Compute) -> Iterator[Saying]:
    engine = open_engine(
        None if order.url is None else Secret(order.url),
        Path(order.file),
        "understudy.records.url",
        longest=order.longest,
    )
    said = -_BETWEEN
    for update in compute(engine, order.question, order.facts, order.now):
        match update:
            case Report():
                yield Done(update)
                return
            case Progress(share):
                if (now := time.monotonic()) >= said + _BETWEEN:
                    said = now
                    yield Going(share)
    yield Broken("no report was made")


def _read_frame(stream: BufferedReader) -> bytes:
    size = int.from_bytes(stream.read(HEAD), "big")
    body = stream.read(size)
    if not size or len(body) < size:
        sys.exit(1)  # the service has gone
    return body


def _end_with(stream: BufferedReader) -> None:
    """End when the service does, however it ends."""
    stream.read(1)
    os._exit(1)


def _where(error: Exception) -> str:
    if isinstance(error, ConfigError):
        return "; ".join(error.faults)
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    return f"{type(error).__name__} at " + " < ".join(
        f"{one.name} ({one.filename.rpartition('/')[2]}:{one.lineno})" for one in reversed(frames)
    )

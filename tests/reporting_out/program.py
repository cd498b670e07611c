"""A report's process whose computing is played: what it does is the name of the silent model."""

import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine

from understudy.server.domain.reports import Facts, Progress, Question, Report, Update
from understudy.server.errors import Reason, RefusedError, RequestError
from understudy.server.reporting.__main__ import begin
from understudy.server.reporting.worker import work

MODULE = "tests.reporting_out.program"


def compute(engine: Engine, question: Question, facts: Facts, now: int) -> Iterator[Update]:
    """Play it."""
    yield Progress(0.25)
    match question.parent.removeprefix("silentModels/"):
        case "hangs":
            while True:
                time.sleep(0.02)  # of a process that is killed
                yield Progress(0.5)
        case "dies":
            os._exit(3)
        case "breaks":
            raise ValueError("a secret of the records")
        case "is-away":
            raise RefusedError(Reason.STORE_UNAVAILABLE, "the store is away", retry_after=2.0)
        case "is-none":
            raise RequestError("there is none", field="parent", reason=Reason.MODEL_NOT_FOUND)
        case "says-nothing":
            return
        case _:
            yield make_report(question, facts, now, str(os.getpid()), told=_look_at_itself(engine))


def make_report(
    question: Question, facts: Facts, now: int, name: str, told: tuple[str, ...] = ()
) -> Report:
    """An empty report. Its caveats are what it was told."""
    return Report(
        id=name,
        parent=question.parent,
        group_by=question.group_by,
        created=now,
        start=question.start or 0,
        end=question.end or now,
        sections=(),
        caveats=(*told, *facts.groups),
    )


def _look_at_itself(engine: Engine) -> tuple[str, ...]:
    def own(file: str) -> str:
        return Path(f"/proc/self/{file}").read_bytes().replace(b"\0", b" ").decode()

    return (own("cmdline"), own("environ"), str(os.nice(0)), str(engine.url))


if __name__ == "__main__":
    begin()
    work(socket.socket(fileno=int(sys.argv[1])), compute)

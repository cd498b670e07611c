"""What the dashboard's process may ask of the service, and how it is done.

By the same objects that RPCs ask. Who may do what has been decided where the browser is known.
"""

from typing import Any

from understudy.server.dashboard.status import read_status
from understudy.server.dashboard_process.messages import (
    Act,
    Anything,
    Changed,
    Create,
    Describe,
    Described,
    Done,
    Going,
    Look,
    Reported,
    Steer,
    Update,
    WritePermanent,
)
from understudy.server.domain.experiments import Experiment
from understudy.server.domain.reports import Report
from understudy.server.experiments.desk import Desk
from understudy.server.processes.link import LinkError
from understudy.server.reporting.desk import ReportDesk
from understudy.server.servicers.steering import Steering


class Answering:
    """Answers the dashboard's process. `reports` is None where nothing is recorded."""

    def __init__(self, desk: Desk, steering: Steering, reports: ReportDesk | None) -> None:
        self._desk = desk
        self._steering = steering
        self._reports = reports

    async def answer(self, message: Anything) -> Anything:
        """Do what is asked for. Raises UnderstudyError."""
        desk = self._desk
        match message:
            case Create(draft, actor):
                return self._tell(await desk.create(draft, actor=actor))
            case Update():
                after, moved = await desk.update(
                    message.wanted,
                    etag=message.etag,
                    paths=message.paths,
                    populated=(),
                    actor=message.actor,
                    validate_only=message.validate_only,
                )
                return self._tell(after, moved)
            case Act():
                return await self._act(message)
            case WritePermanent(experiment):
                return self._tell(None, text=desk.write_permanent(experiment))
            case Describe():
                status: Any = await self._steering.status()
                return Described(read_status(status))
            case Steer():
                steer = self._steering.resume if message.resumes else self._steering.pause
                await steer(message.silent_model, actor=message.actor, cause=message.cause)
                return Done()
            case Look():
                return await self._look(message)
            case _:
                raise LinkError(f"nobody here answers {type(message).__name__}")

    async def _act(self, asked: Act) -> Changed:
        desk, name, etag, actor = self._desk, asked.experiment, asked.etag, asked.actor
        match asked.action:
            case "start":
                return self._tell(await desk.start(name, etag=etag, actor=actor))
            case "pause":
                return self._tell(await desk.pause(name, etag=etag, actor=actor))
            case "resume":
                return self._tell(await desk.resume(name, etag=etag, actor=actor))
            case "rollback":
                return self._tell(await desk.rollback(name, cause=asked.cause, actor=actor))
            case "conclude":
                winner = asked.winner
                after, text = await desk.conclude(name, etag=etag, winner=winner, actor=actor)
                return self._tell(after, text=text)
            case "delete":
                await desk.delete(name, etag=etag, actor=actor)
                return self._tell(None)

    async def _look(self, asked: Look) -> Anything:
        if self._reports is None:
            raise LinkError("nothing is recorded, so nobody asks for reports")
        found = await self._reports.look(asked.question, anew=asked.anew)
        return Reported(found) if isinstance(found, Report) else Going(found.share)

    def _tell(self, after: Experiment | None, moved: int = 0, text: str = "") -> Changed:
        return Changed(self._desk.roster.revision, after, moved, text)

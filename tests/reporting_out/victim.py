"""A service that has a report computed until it is killed. Says which process computes it."""

import asyncio
import os
import sys
from pathlib import Path

from understudy.server.config.settings import RecordSettings
from understudy.server.domain.reports import Facts, Progress, Question
from understudy.server.reporting.desk import ReportDesk

from ..workers.crew import children
from .program import MODULE


async def main(folder: str) -> None:
    """Ask for a report that never comes."""
    desk = ReportDesk(RecordSettings(), Path(folder), lambda _: Facts(), lambda: 1, MODULE)
    async for update in desk.get(Question(parent="silentModels/hangs")):
        if update == Progress(0.5):
            print(children(os.getpid())[0], flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

"""Opens the desk where reports are asked for, beside whatever runs the service's event loop."""

import os
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from understudy.server.config.settings import Settings
from understudy.server.domain.deployment import Snapshot
from understudy.server.reporting.desk import ReportDesk
from understudy.server.reporting.gathering import gather
from understudy.server.statedir import find_state_dir


@asynccontextmanager
async def running_reports(
    settings: Settings, snapshot: Callable[[], Snapshot]
) -> AsyncGenerator[ReportDesk | None]:
    """Open the desk; leaving the context ends what is computed. `None` where nothing is recorded."""
    if not settings.records.enabled:
        yield None
        return
    desk = ReportDesk(
        settings.records,
        find_state_dir(settings.state_dir, os.environ),
        lambda question: gather(snapshot(), question, _now()),
        _now,
    )
    try:
        yield desk
    finally:
        await desk.close()


def _now() -> int:
    return time.time_ns() // 1000

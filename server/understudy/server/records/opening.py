"""Opens the records: the store, the thread that writes, and those who read."""

import logging
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from understudy.server.config.settings import RecordSettings
from understudy.server.database.engine import describe, explain, open_engine
from understudy.server.database.migrating import AWAY, migrate
from understudy.server.records.figures import Figures
from understudy.server.records.fold import Fold
from understudy.server.records.instances import Instance
from understudy.server.records.processes import Process
from understudy.server.records.ratings import Ratings
from understudy.server.records.reading import Reader
from understudy.server.records.recorder import Recorder
from understudy.server.records.retention import Retention
from understudy.server.records.schema import MIGRATIONS
from understudy.server.records.switches import Switches

FILE = "records.db"

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Records:
    """Records that are open. `place` says where they are, without a password."""

    recorder: Recorder
    reader: Reader
    switches: Switches
    figures: Figures
    ratings: Ratings
    place: str

    def close(self) -> None:
        """Write what is left, and let the store go. Blocks for some seconds at most."""
        self.recorder.close()


def open_records(settings: RecordSettings, state_dir: Path) -> Records:
    """Open the records. Blocks while the tables are made, for some seconds at most.

    A store that is away is no reason not to serve: it is logged and tried again. Raises
    ConfigError for a URL that is none.
    """
    engine = open_engine(settings.url, state_dir / FILE, "understudy.records.url")
    is_ready = True
    try:
        migrate(engine, MIGRATIONS, patience=10.0)
    except AWAY as error:
        is_ready = False
        _LOG.warning("the records' store %s is away: %s", describe(engine), explain(error))
    recorder = Recorder(
        engine,
        Fold(settings.capture, time.time() - time.monotonic()),
        Retention(engine, settings.retention),
        Instance(secrets.token_hex(16), Process.own()),
        flush=settings.flush,
        is_ready=is_ready,
        epoch=_epoch,
    )
    return Records(
        recorder,
        Reader(engine),
        Switches(engine, _epoch),
        Figures(engine, _epoch),
        Ratings(engine, _epoch),
        describe(engine),
    )


def _epoch() -> int:
    return time.time_ns() // 1000

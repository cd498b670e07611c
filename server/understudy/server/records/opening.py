"""Opens the records: the store, the thread that tells and writes, and those who read."""

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from understudy.server.capturing import Redactor
from understudy.server.config.redaction import RedactionSettings
from understudy.server.config.settings import RecordSettings
from understudy.server.database.engine import describe, explain, open_engine
from understudy.server.database.migrating import AWAY, migrate
from understudy.server.domain.feedback import Feedback
from understudy.server.ports import Sink
from understudy.server.records.feedback import FeedbackBook
from understudy.server.records.figures import Figures
from understudy.server.records.fold import Fold
from understudy.server.records.instances import Instance
from understudy.server.records.keeping import Keeper
from understudy.server.records.leases import Leases
from understudy.server.records.processes import Process
from understudy.server.records.ratings import Ratings
from understudy.server.records.reading import Reader
from understudy.server.records.recorder import Audience, Recorder
from understudy.server.records.retention import Retention
from understudy.server.records.schema import MIGRATIONS
from understudy.server.records.switches import Switches
from understudy.server.records.teller import Teller

FILE = "records.db"
NOT_REDACTED = RedactionSettings()

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Records:
    """Records that are open. `place` says where they are, without a password."""

    recorder: Recorder
    reader: Reader
    switches: Switches
    figures: Figures
    ratings: Ratings
    feedback: FeedbackBook
    leases: Leases
    place: str

    def close(self) -> None:
        """Write what is left, and let the store go. Blocks for some seconds at most."""
        self.recorder.close()


@dataclass(frozen=True, slots=True)
class Listeners:
    """The sinks, as one; `with_words` says whether any of them wants prompts and answers."""

    sink: Sink
    with_words: bool = True


def open_records(
    settings: RecordSettings,
    state_dir: Path,
    on_feedback: Callable[[Feedback], None] = lambda _: None,
    *,
    redaction: RedactionSettings = NOT_REDACTED,
    listeners: Listeners | None = None,
) -> Records:
    """Open the records. Blocks while the tables are made, for some seconds at most.

    `on_feedback` is handed each opinion once it is kept, from any thread; it never blocks and
    never raises. So are the listeners, who hear of each call before it is written.
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
    instance = Instance(secrets.token_hex(16), Process.own())
    keeper = Keeper(
        engine,
        Retention(engine, settings.retention),
        instance,
        flush=settings.flush,
        is_ready=is_ready,
        epoch=_epoch,
    )
    recorder = _start(settings, redaction, listeners, keeper)

    def hear(said: Feedback) -> None:
        recorder.pass_on(said)
        on_feedback(said)

    return Records(
        recorder,
        Reader(engine),
        Switches(engine, _epoch),
        Figures(engine, _epoch),
        Ratings(engine, _epoch),
        FeedbackBook(engine, _epoch, partial(secrets.token_hex, 16), hear),
        Leases(engine, instance, _epoch),
        describe(engine),
    )


def open_teller(redaction: RedactionSettings, listeners: Listeners) -> Recorder:
    """Open what tells sinks of calls where no records are kept: nothing is written anywhere."""
    return _start(RecordSettings(), redaction, listeners, None)


def _start(
    settings: RecordSettings,
    redaction: RedactionSettings,
    listeners: Listeners | None,
    keeper: Keeper | None,
) -> Recorder:
    redactor = Redactor(redaction.patterns)
    labels = redactor if redaction.labels else Redactor()
    audience = None
    if listeners is not None:
        audience = Audience(listeners.sink, Teller(labels, with_words=listeners.with_words))
    fold = Fold(
        settings.capture,
        time.time() - time.monotonic(),
        redactor=redactor,
        labels=labels,
        teller=audience.teller if audience is not None else None,
    )
    return Recorder(fold, keeper=keeper, audience=audience, every=settings.flush)


def _epoch() -> int:
    return time.time_ns() // 1000

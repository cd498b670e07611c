"""A store as a test sees it: where it is, how to open it, and what is in it."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sqlalchemy import Engine

from understudy.server.config.redaction import RedactionSettings
from understudy.server.config.settings import RecordSettings, RetentionSettings
from understudy.server.database.engine import open_engine
from understudy.server.domain.deployment import Secret
from understudy.server.ports import Sink
from understudy.server.records import Listeners, Records, open_records
from understudy.server.records.opening import FILE, NOT_REDACTED

FLUSH = 0.02


@dataclass(frozen=True, slots=True)
class Store:
    """A place for records. `url` is empty for SQLite in the folder."""

    folder: Path
    url: str = ""

    @property
    def file(self) -> Path:
        """The database file of SQLite."""
        return self.folder / FILE

    @property
    def secret(self) -> Secret | None:
        """The URL as the configuration has it."""
        return Secret(self.url, "TEST_URL") if self.url else None

    def settings(
        self,
        *,
        capture: Literal["metadata", "redacted", "content"] = "metadata",
        retention: RetentionSettings | None = None,
        flush: float = FLUSH,
    ) -> RecordSettings:
        """Settings that flush quickly."""
        settings = RecordSettings(url=self.secret, capture=capture, flush=flush)
        return replace(settings, retention=retention) if retention else settings

    @contextmanager
    def open(
        self,
        settings: RecordSettings | None = None,
        *,
        sink: Sink | None = None,
        redaction: RedactionSettings = NOT_REDACTED,
    ) -> Generator[Records]:
        """Open records on it until the block ends; a sink is told what they are made of."""
        records = open_records(
            settings or self.settings(),
            self.folder,
            redaction=redaction,
            listeners=Listeners(sink) if sink is not None else None,
        )
        try:
            yield records
        finally:
            records.close()

    @contextmanager
    def engine(self) -> Generator[Engine]:
        """A connection of its own, for what a test looks up or breaks by itself."""
        engine = open_engine(self.secret, self.folder / FILE, "understudy.records.url")
        try:
            yield engine
        finally:
            engine.dispose()

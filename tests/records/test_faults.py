"""A store that is away harms nobody: events are taken, kept as long as there is room, counted."""

import json
import logging
import os
import stat
import subprocess
import sys
import time

import pytest
from sqlalchemy import text

from understudy.server.config.settings import RecordSettings
from understudy.server.database.engine import writing
from understudy.server.domain.deployment import Secret
from understudy.server.errors import ConfigError, Reason, RefusedError
from understudy.server.records import Records, open_records

from ..stub.eventually import eventually_sync
from .stores import Store
from .telling import new_pair_id, paired

LONGEST_NOTE = 0.25  # seconds; a lock is held for longer


def note_pairs(records: Records, count: int) -> float:
    """Note pairs; return how long the slowest event took."""
    slowest = 0.0
    for _ in range(count):
        for event in paired(new_pair_id()):
            begin = time.perf_counter()
            records.recorder.note(event)
            slowest = max(slowest, time.perf_counter() - begin)
    return slowest


def test_a_locked_database_holds_nobody_up_and_loses_nothing(
    sqlite_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with sqlite_store.open() as records, sqlite_store.engine() as engine:
        eventually_sync(lambda: records.recorder.figures.written == 0)
        with engine.connect() as connection, connection.begin():
            connection.execute(text("DELETE FROM mirror_pauses"))  # takes the lock
            slowest = note_pairs(records, 500)
            eventually_sync(lambda: records.recorder.figures.away, within=10)
        eventually_sync(lambda: records.recorder.figures.written == 1500, within=10)
        eventually_sync(lambda: not records.recorder.figures.away)
        figures = records.recorder.figures

    assert slowest < LONGEST_NOTE
    assert (figures.dropped, figures.away) == (0, "")
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) == 2
    assert "database is locked; serving is not affected" in told[0]
    assert "records are being kept again" in told[1]


def test_a_full_disk_holds_nobody_up_and_loses_nothing(sqlite_store: Store) -> None:
    command = [sys.executable, "-m", "tests.records.victim", "full", str(sqlite_store.folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    figures = json.loads(done.stdout)
    assert figures["away"] in ("disk I/O error", "database or disk is full")
    assert figures["slowest"] < LONGEST_NOTE
    assert figures["written"] == 6000
    assert figures["dropped"] == 0


def test_a_store_that_is_away_at_the_start_is_used_when_it_comes(sqlite_store: Store) -> None:
    sqlite_store.file.mkdir(parents=True)
    with sqlite_store.open() as records:
        note_pairs(records, 10)
        eventually_sync(lambda: records.recorder.figures.away)
        sqlite_store.file.rmdir()
        eventually_sync(lambda: records.recorder.figures.written == 30, within=10)


def test_what_finds_no_room_is_counted(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.server.records.batch.MOST_ROWS", 90)
    sqlite_store.file.mkdir(parents=True)
    with sqlite_store.open() as records:
        note_pairs(records, 50)
        eventually_sync(lambda: records.recorder.figures.waiting == 90)
        sqlite_store.file.rmdir()
        eventually_sync(lambda: records.recorder.figures.written == 90, within=10)
        assert records.recorder.figures.dropped >= 60


def test_a_file_that_is_no_database_is_told_and_left_alone(
    sqlite_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite_store.folder.mkdir()
    sqlite_store.file.write_bytes(b"precious" * 1000)
    with sqlite_store.open() as records:
        note_pairs(records, 1)
        eventually_sync(lambda: records.recorder.figures.away)
        with pytest.raises(RefusedError) as raised:
            records.switches.load()

    assert "file is not a database" in caplog.text
    assert raised.value.reason is Reason.STORE_UNAVAILABLE
    assert sqlite_store.file.read_bytes() == b"precious" * 1000


def test_a_database_that_does_not_answer_keeps_nobody_waiting(tmp_path: "os.PathLike[str]") -> None:
    url = Secret("postgresql://somebody:sk-canary@127.0.0.1:1/none", "URL")
    records = open_records(RecordSettings(url=url, flush=0.02), Store(tmp_path).folder)  # type: ignore[arg-type]
    try:
        note_pairs(records, 10)
        eventually_sync(lambda: records.recorder.figures.away)
    finally:
        records.close()

    assert "sk-canary" not in records.place + records.recorder.figures.away


@pytest.mark.parametrize("url", ["sk-canary", "mysql://u:sk-canary@h/d"])
def test_a_url_that_is_none_is_refused_and_not_repeated(url: str, sqlite_store: Store) -> None:
    with pytest.raises(ConfigError) as raised:
        open_records(RecordSettings(url=Secret(url, "URL")), sqlite_store.folder)

    assert "understudy.records.url" in str(raised.value)
    assert "sk-canary" not in str(raised.value)


def test_the_files_are_the_owners_alone(sqlite_store: Store) -> None:
    with sqlite_store.open() as records:
        note_pairs(records, 1)
        eventually_sync(lambda: records.recorder.figures.written)
        modes = {
            one.name: stat.S_IMODE(one.stat().st_mode) for one in sqlite_store.folder.iterdir()
        }

    assert stat.S_IMODE(sqlite_store.folder.stat().st_mode) == 0o700
    assert modes == {"records.db": 0o600, "records.db-wal": 0o600, "records.db-shm": 0o600}


def test_another_opening_in_this_process_drops_no_lock(sqlite_store: Store) -> None:
    with sqlite_store.open() as records, sqlite_store.engine() as engine:
        with writing(engine, exclusive=True), sqlite_store.engine() as another:
            with another.connect() as connection:
                connection.execute(text("SELECT 1"))
            code = (
                "import sqlite3, sys; sqlite3.connect(sys.argv[1], 0.1).execute('BEGIN EXCLUSIVE')"
            )
            done = subprocess.run(
                [sys.executable, "-c", code, str(sqlite_store.file)],
                capture_output=True,
                text=True,
                check=False,
            )
        eventually_sync(lambda: not records.recorder.figures.away, within=10)

    assert "database is locked" in done.stderr

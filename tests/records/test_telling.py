"""Sinks are told before the store, once, and whether there is a store or not."""

import json
import logging
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, select

from understudy.server.capturing import Pattern
from understudy.server.config.redaction import RedactionSettings
from understudy.server.domain.feedback import Feedback
from understudy.server.domain.records import TextState
from understudy.server.domain.tellings import Generation, Telling
from understudy.server.records import Listeners, open_teller
from understudy.server.records.opening import NOT_REDACTED
from understudy.server.records.schema import records as table

from ..sinks.hearing import Failing, Heard
from ..stub.eventually import eventually_sync
from .stores import Store
from .telling import answered, new_pair_id, paired, request

CANARY = "canary-7f3a"
REDACTION = RedactionSettings((Pattern("canary-[0-9a-f]+"),))


class Watching(Heard):
    """A sink that looks at each telling whether the store has the row already."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.too_late = 0
        self._store = store

    def tell(self, tellings: Sequence[Telling]) -> None:
        """Look, and remember."""
        ids = [one.record.id for one in tellings if isinstance(one, Generation)]
        with self._store.engine() as engine, engine.connect() as connection:
            found = select(func.count()).where(table.c.id.in_(ids))
            self.too_late += connection.scalar(found) or 0
        super().tell(tellings)


def test_sinks_are_told_before_the_store(store: Store) -> None:
    sink = Watching(store)
    with store.open(sink=sink) as records:
        for _ in range(20):
            for event in paired(new_pair_id()):
                records.recorder.note(event)
        eventually_sync(lambda: records.recorder.figures.written, within=5)

    assert len(sink.ids) == len(set(sink.ids)) == 40
    assert sink.too_late == 0


def test_sinks_are_told_once_while_the_store_is_away(tmp_path: Path) -> None:
    store, sink = Store(tmp_path / "state"), Heard()
    with store.open(sink=sink) as records, store.engine() as engine:
        eventually_sync(lambda: not records.recorder.figures.away)
        with engine.connect() as blocker:
            blocker.exec_driver_sql("DROP TABLE records")
            blocker.commit()
            for event in paired(new_pair_id()):
                records.recorder.note(event)
            eventually_sync(lambda: len(sink.ids) == 2)
            eventually_sync(lambda: records.recorder.figures.waiting, within=5)
        for event in answered(new_pair_id()):
            records.recorder.note(event)
        eventually_sync(lambda: len(sink.ids) == 3)

    assert len(set(sink.ids)) == 3
    assert len(sink.answered) == 2


def test_sinks_are_told_where_no_records_are_kept() -> None:
    sink = Heard()
    teller = open_teller(NOT_REDACTED, Listeners(sink))
    for event in paired(new_pair_id()):
        teller.note(event)
    teller.close()

    assert len(sink.ids) == 2
    assert len(sink.copies) == len(sink.answered) == 1
    assert teller.figures.waiting == 0
    assert sink.generations[1].messages is not None


def test_feedback_is_passed_on_once(sqlite_store: Store) -> None:
    sink, pair_id = Heard(), new_pair_id()
    with sqlite_store.open(sink=sink) as records:
        said = Feedback("f", pair_id, "liked", True)
        records.feedback.keep(said)
        records.feedback.keep(said)

    (told,) = sink.tellings
    assert isinstance(told, Feedback)
    assert (told.id, told.value) == ("f", True)


def test_a_sink_that_fails_costs_no_record(
    sqlite_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    with sqlite_store.open(sink=Failing()) as records:
        for event in paired(new_pair_id()):
            records.recorder.note(event)
        eventually_sync(lambda: records.recorder.figures.written, within=5)

    assert "canary" not in caplog.text


def test_redacted_records_keep_texts_without_what_the_patterns_find(
    sqlite_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    pair_id = new_pair_id()
    settings = sqlite_store.settings(capture="redacted")
    with sqlite_store.open(settings, redaction=REDACTION) as records:
        for event in answered(pair_id, of=request(f"a {CANARY}"), text=f"{CANARY}!"):
            records.recorder.note(event)
        eventually_sync(lambda: records.recorder.figures.written, within=5)
        pair = records.reader.get_pair(pair_id, with_texts=True)
        files = [one.read_bytes() for one in sqlite_store.folder.iterdir()]

    assert pair is not None
    (kept,) = pair.primary
    assert kept.record.text_state is TextState.KEPT
    assert kept.texts.messages is not None
    assert kept.texts.messages[0].content == "a [redacted]"
    assert kept.texts.choices is not None
    assert kept.texts.choices[0].message.content == "[redacted]!"
    assert not any(CANARY.encode() in data for data in files)
    assert CANARY not in caplog.text


def die(store: Store, lines: int) -> None:
    """Run a victim that tells a file, and kill it after some lines."""
    command = [sys.executable, "-m", "tests.records.victim", "tell", str(store.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        for _ in range(lines):
            assert json.loads(victim.stdout.readline())["written"]
        victim.send_signal(signal.SIGKILL)


def test_each_row_of_a_store_was_told_whenever_its_process_died(sqlite_store: Store) -> None:
    for lines in (1, 2):
        die(sqlite_store, lines)

    told = (sqlite_store.folder / "told").read_text().split()
    with sqlite_store.engine() as engine, engine.connect() as connection:
        kept = set(connection.scalars(select(table.c.id)))
    assert kept
    assert len(told) == len(set(told))
    assert kept <= set(told)

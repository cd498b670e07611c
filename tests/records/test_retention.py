"""What is past its time is gone: from the tables, and with SQLite from every byte of its files."""

import random
import subprocess
import time

import pytest
from sqlalchemy import func, select

from understudy.server.config.settings import RetentionSettings
from understudy.server.domain.figures import Scope, Step
from understudy.server.domain.record_queries import Query
from understudy.server.domain.records import TextState
from understudy.server.records.schema import metadata, rollups, texts

from ..stub.eventually import eventually_sync
from .stores import Store
from .telling import answered, new_pair_id, paired, request

CANARY = "the-canary-sings-at-dawn"
DAY = 86400.0
FOR_EVER = RetentionSettings(metadata=100 * DAY, content=100 * DAY)


def bytes_of(store: Store) -> bytes:
    # In a process of its own: to close a database drops all locks that the process has on it.
    return subprocess.run(["cat", *store.folder.iterdir()], capture_output=True, check=False).stdout


@pytest.mark.parametrize("capture", ["metadata", "redacted"])
def test_without_capture_no_prompt_reaches_the_disk(sqlite_store: Store, capture: str) -> None:
    settings = sqlite_store.settings(capture="metadata" if capture == "metadata" else "redacted")
    with sqlite_store.open(settings) as records:
        for event in answered(new_pair_id(), of=request(CANARY), text=CANARY):
            records.recorder.note(event)
        eventually_sync(lambda: records.recorder.figures.written)

        assert CANARY.encode() not in bytes_of(sqlite_store)


def test_a_prompt_that_its_caller_refused_to_have_kept_is_not(sqlite_store: Store) -> None:
    with sqlite_store.open(sqlite_store.settings(capture="content")) as records:
        asked = request(CANARY, may_mirror=False)
        for event in answered(new_pair_id(), of=asked, text=CANARY):
            records.recorder.note(event)
        eventually_sync(lambda: records.recorder.figures.written)
        ((kept, _),) = records.reader.list_records(Query(), with_texts=True).items

        assert CANARY.encode() not in bytes_of(sqlite_store)
    assert kept.record.text_state is TextState.REFUSED


@pytest.mark.parametrize("in_turns", [True, False])
def test_texts_past_their_time_are_in_no_byte_of_the_files(
    sqlite_store: Store, in_turns: bool
) -> None:
    chance = random.Random(11)
    now = time.monotonic()
    keeping = sqlite_store.settings(capture="content", retention=FOR_EVER)
    with sqlite_store.open(keeping) as records:
        for number in range(600):  # in turns, so that old and new share pages
            is_old = bool(number % 2) if in_turns else number < 300
            text = f"{CANARY if is_old else 'fresh'} " * chance.choice((1, 3, 20, 200, 2000))
            start = now - (10 * DAY if is_old else 0)
            for event in answered(new_pair_id(), start=start, of=request(text), text=text):
                records.recorder.note(event)
    assert CANARY.encode() in bytes_of(sqlite_store)

    with sqlite_store.open(sqlite_store.settings(capture="content")) as records:
        eventually_sync(lambda: CANARY.encode() not in bytes_of(sqlite_store), within=20)
        listed = records.reader.list_records(Query(limit=1000), with_texts=True).items

    assert len(listed) == 600
    assert sum(one.texts.choices is not None for one, _ in listed) == 300
    assert b"fresh" in bytes_of(sqlite_store)


def test_everything_past_its_time_is_deleted(store: Store) -> None:
    past = time.monotonic() - 40 * DAY
    with store.open(store.settings(capture="content", retention=FOR_EVER)) as records:
        for _ in range(700):  # more than one step
            for event in paired(new_pair_id(), start=past):
                records.recorder.note(event)
        for event in paired(new_pair_id()):
            records.recorder.note(event)

    def counts() -> dict[str, int]:
        with store.engine() as engine, engine.connect() as connection:
            return {
                table.name: connection.scalar(select(func.count()).select_from(table)) or 0
                for table in metadata.sorted_tables
            }

    with store.open(store.settings(capture="content")):
        kept = {"records": 2, "offers": 1, "rollups": 4}
        eventually_sync(lambda: kept.items() <= counts().items(), within=10)


def test_after_two_days_figures_are_kept_by_the_hour(store: Store) -> None:
    days = [1.5, 3, 20]
    with store.open(store.settings()) as records:
        for past in days:
            for event in answered(new_pair_id(), start=time.monotonic() - past * DAY):
                records.recorder.note(event)

    def spans() -> list[int]:
        with store.engine() as engine, engine.connect() as connection:
            return sorted(connection.scalars(select(rollups.c.span)))

    minute, hour = Step.MINUTE.value, Step.HOUR.value
    with store.open(store.settings()) as records:
        eventually_sync(lambda: spans() == [minute, hour, hour, hour], within=10)
        now = time.time_ns() // 1000
        scope = Scope(start=now - 21 * Step.DAY.value, end=now)
        totals = records.figures.totals(scope).whole

    assert totals.calls == len(days)


def kept_text(store: Store) -> int:
    with store.engine() as engine, engine.connect() as connection:
        return int(connection.scalar(select(func.sum(texts.c.size))) or 0)


def test_a_store_that_is_too_large_loses_its_oldest(store: Store) -> None:
    limit = 2_000_000
    now = time.monotonic()
    with store.open(store.settings(capture="content", retention=FOR_EVER)) as records:
        for number in range(900):
            start = now - 4000 + number * 10
            for event in answered(f"pair-{number:03}", start=start, text="x" * 3000):
                records.recorder.note(event)

    small = RetentionSettings(metadata=100 * DAY, content=100 * DAY, size=limit)
    with store.open(store.settings(retention=small)) as records:
        eventually_sync(lambda: kept_text(store) < limit, within=20)
        if not store.url:
            eventually_sync(lambda: store.file.stat().st_size < limit, within=20)
        found = records.reader.list_records(Query(limit=1000), with_texts=False)

    left = sorted(one.record.pair_id for one, _ in found.items)
    assert 100 < len(left) < 700
    assert left == [f"pair-{number:03}" for number in range(900)][-len(left) :]

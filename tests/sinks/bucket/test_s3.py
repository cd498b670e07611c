"""Against a real server that speaks S3: each record is there once, whatever happens between."""

import logging
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from understudy.server.sinks.bucket.sink import BucketSink

from ...stub.eventually import eventually_sync
from .detour import Detour
from .making import STARTED, call, calls, ids
from .s3 import KEY, KEY_ID, Bucket

Open = Callable[..., BucketSink]


def spooled(state: Path) -> list[Path]:
    """Return the files with records that are on disk."""
    return [one for one in state.rglob("*") if one.is_file() and one.name != "lock"]


def test_calls_become_lines_of_an_object_of_their_hour(
    bucket: Bucket, opened: Open, state: Path
) -> None:
    told = calls(50)
    sink = opened(bucket.settings())

    sink.tell(told)
    eventually_sync(lambda: sink.figures.sent == 50, within=10)

    (key,) = bucket.objects()
    assert re.fullmatch(r"calls/\d{4}-\d\d-\d\d/\d\d/\d{8}T\d{12}Z-own0-000001\.jsonl", key)
    assert [str(one["id"]) for one in bucket.records()] == ids(told)
    assert sink.figures.waiting == 0
    assert spooled(state) == []


def test_each_call_is_an_object_under_litellms_key(bucket: Bucket, opened: Open) -> None:
    told = [call("a1"), call("b2"), *calls(40)]
    sink = opened(bucket.settings(format="litellm", prefix="logs/prod"))

    sink.tell(told)
    eventually_sync(lambda: sink.figures.sent == 42, within=10)

    objects = bucket.objects()
    assert "logs/prod/2026-09-21/time-14-13-20-123456_a1.json" in objects
    assert len(objects) == 42
    assert bucket.ids() == sorted(ids(told))


def test_a_prefix_may_be_of_any_letters(bucket: Bucket, opened: Open) -> None:
    sink = opened(bucket.settings(prefix="team=blau//Über uns/100%"))

    sink.tell(calls(1))
    eventually_sync(lambda: sink.figures.sent == 1, within=10)

    (key,) = bucket.objects()
    assert key.startswith("team=blau/Über uns/100%/2")


def test_a_batch_that_is_full_does_not_wait_for_its_time(bucket: Bucket, opened: Open) -> None:
    sink = opened(bucket.settings(every=3600.0, most_bytes=10_000))

    sink.tell(calls(100))
    eventually_sync(lambda: sink.figures.sent > 80, within=10)

    objects = bucket.objects()
    assert len(objects) > 5
    assert max(map(len, objects.values())) < 13_000


def outlive(bucket: Bucket, way: Detour, sink: BucketSink, seconds: float) -> list[str]:
    """Tell while the store is obstructed for so long, clear the way, wait; return the ids told."""
    told: list[str] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        batch = calls(3)
        sink.tell(batch)
        told += ids(batch)
        way.patience.wait(0.02)
    way.status, way.delay, way.loses_answers = 0, 0.0, False
    eventually_sync(lambda: sink.figures.waiting == 0, within=60)
    return sorted(told)


@pytest.mark.parametrize("format", ["lines", "litellm"])
@pytest.mark.parametrize("status", [403, 503])
def test_a_store_that_refuses_gets_each_record_once_when_it_is_back(
    bucket: Bucket,
    way: Detour,
    opened: Open,
    format: str,
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    way.status = status
    sink = opened(bucket.settings(endpoint=way.endpoint, format=format))

    told = outlive(bucket, way, sink, 0.5)

    assert bucket.ids() == told
    assert sink.figures.dropped == 0
    assert [one.levelno for one in caplog.records] == [logging.WARNING] * 2
    away, back = (one.getMessage() for one in caplog.records)
    assert str(status) in away
    assert "again" in back
    assert KEY_ID not in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize("format", ["lines", "litellm"])
def test_a_store_that_was_away_gets_each_record_once(
    bucket: Bucket, way: Detour, opened: Open, format: str
) -> None:
    sink = opened(bucket.settings(endpoint=way.endpoint, format=format))
    before = calls(10)
    sink.tell(before)
    way.close()
    away = calls(10)
    sink.tell(away)
    eventually_sync(lambda: sink.figures.away, within=10)
    assert sink.figures.away == "the store cannot be reached"
    assert sink.figures.lag > 0

    way.open()
    eventually_sync(lambda: sink.figures.waiting == 0, within=20)

    assert bucket.ids() == sorted(ids(before + away))
    assert sink.figures.away == ""
    assert sink.figures.lag == 0


def test_a_store_that_is_slow_gets_each_record_once(
    bucket: Bucket, way: Detour, opened: Open
) -> None:
    way.delay = 0.3
    sink = opened(bucket.settings(endpoint=way.endpoint))

    started = time.monotonic()
    sink.tell(calls(1))
    assert time.monotonic() - started < 0.2

    told = outlive(bucket, way, sink, 0.5)
    assert set(told) < set(bucket.ids())
    assert len(bucket.ids()) == len(told) + 1


@pytest.mark.parametrize("format", ["lines", "litellm"])
def test_a_store_whose_answers_are_lost_has_each_record_once(
    bucket: Bucket, way: Detour, opened: Open, format: str
) -> None:
    way.loses_answers = True
    sink = opened(bucket.settings(endpoint=way.endpoint, format=format))

    told = outlive(bucket, way, sink, 0.5)

    assert bucket.ids() == told


@pytest.mark.proof
@pytest.mark.parametrize("format", ["lines", "litellm"])
def test_a_minute_without_a_store_loses_nothing(
    bucket: Bucket, way: Detour, opened: Open, format: str
) -> None:
    way.close()
    sink = opened(bucket.settings(endpoint=way.endpoint, format=format))
    told: list[str] = []
    end = time.monotonic() + 60
    while time.monotonic() < end:
        batch = calls(2)
        sink.tell(batch)
        told += ids(batch)
        way.patience.wait(0.02)

    way.open()
    eventually_sync(lambda: sink.figures.waiting == 0, within=120)

    assert bucket.ids() == sorted(told)


def test_what_a_closed_sink_leaves_is_brought_by_the_next(
    bucket: Bucket, way: Detour, opened: Open, state: Path
) -> None:
    told = calls(30)
    way.close()
    first = opened(bucket.settings(endpoint=way.endpoint, every=3600.0))
    first.tell(told)
    first.close(1.0)
    assert len(spooled(state)) == 1

    way.open()
    second = opened(bucket.settings(endpoint=way.endpoint))
    eventually_sync(lambda: second.figures.sent == 30, within=10)

    assert bucket.ids() == sorted(ids(told))
    assert spooled(state) == []


def test_closing_brings_what_is_there(bucket: Bucket, opened: Open, state: Path) -> None:
    told = calls(30)
    sink = opened(bucket.settings(every=3600.0))
    sink.tell(told)

    sink.close(10.0)

    assert bucket.ids() == sorted(ids(told))
    assert spooled(state) == []
    assert not any((state / "spool/bucket").iterdir())


def test_closing_takes_no_longer_than_it_may(bucket: Bucket, way: Detour, opened: Open) -> None:
    way.delay = 30.0
    sink = opened(bucket.settings(endpoint=way.endpoint), patience=60.0)
    sink.tell(calls(1))
    eventually_sync(lambda: way.asked, within=10)

    started = time.monotonic()
    sink.close(1.0)

    assert time.monotonic() - started < 3.0
    assert sink.figures.waiting == 1


def test_what_is_told_after_the_end_is_counted(bucket: Bucket, opened: Open) -> None:
    sink = opened(bucket.settings())
    sink.close(5.0)

    sink.tell(calls(3))

    assert sink.figures.dropped == 3


def test_a_missing_bucket_is_named(bucket: Bucket, opened: Open) -> None:
    sink = opened(bucket.settings(url="s3://no-such-bucket/calls"))

    sink.tell(calls(1))
    eventually_sync(lambda: sink.figures.away, within=10)

    assert sink.figures.away == "there is no such bucket (404)"


def test_begun_on_a_day_means_by_utc() -> None:
    assert time.gmtime(STARTED // 1_000_000)[:6] == (2026, 9, 21, 14, 13, 20)

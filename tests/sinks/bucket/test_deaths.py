"""A process may be killed at any moment; what it was told before is in the bucket, once."""

import random
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from understudy.server.sinks.bucket.sink import BucketSink

from ...stub.eventually import eventually_sync
from .detour import Detour
from .making import calls, ids
from .s3 import Bucket

Open = Callable[..., BucketSink]


class Feeder:
    """A process that tells until it is killed, and what it has told."""

    def __init__(self, state: Path, bucket: Bucket, endpoint: str, format: str, name: str) -> None:
        url = f"s3://{bucket.name}/calls"
        module = ["-m", "tests.sinks.bucket.feeder"]
        self._process = subprocess.Popen(
            [sys.executable, *module, str(state), url, endpoint, format, name],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.batches = 0
        self.begun: list[str] = []  # ids that it may have told
        self.told: list[str] = []  # ids that it has told
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def die(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line == "told\n":
                self.told = list(self.begun)
                self.batches += 1
            elif line.endswith("\n"):
                self.begun += line.split()


def kill(feeders: Sequence[Feeder], batches: int) -> None:
    """Let each tell so many batches, and kill them all."""
    eventually_sync(lambda: min(one.batches for one in feeders) >= batches, within=60)
    for one in feeders:
        one.die()


def die_often(
    times: int, state: Path, bucket: Bucket, way: Detour, format: str
) -> tuple[set[str], set[str]]:
    """Run two feeders over one state folder and kill them; return what they told and began."""
    told: set[str] = set()
    begun: set[str] = set()
    for turn in range(times):
        way.status = 503 if turn % 3 == 1 else 0
        way.loses_answers = turn % 3 == 2
        pair = [Feeder(state, bucket, way.endpoint, format, name) for name in ("same", "other")]
        kill(pair, random.randint(2, 10))
        for one in pair:
            told |= set(one.told)
            begun |= set(one.begun)
    way.status, way.loses_answers = 0, False
    return told, begun


def outlive_deaths(
    times: int, state: Path, bucket: Bucket, way: Detour, opened: Open, format: str
) -> None:
    told, begun = die_often(times, state, bucket, way, format)
    last = opened(bucket.settings(endpoint=way.endpoint, format=format))
    final = calls(10)
    last.tell(final)
    eventually_sync(lambda: not last.figures.waiting and not left(state), within=30 * times)

    found = bucket.ids()
    assert len(set(found)) == len(found)
    assert told | set(ids(final)) <= set(found)
    assert set(found) <= begun | set(ids(final))


def left(state: Path) -> list[Path]:
    """Return the segments that are on disk, whosever they are."""
    return [one for one in state.rglob("*") if one.suffix in (".open", ".jsonl", ".part")]


@pytest.mark.parametrize("format", ["lines", "litellm"])
def test_what_was_told_before_kills_is_in_the_bucket_once(
    state: Path, bucket: Bucket, way: Detour, opened: Open, format: str
) -> None:
    outlive_deaths(2, state, bucket, way, opened, format)


@pytest.mark.proof
@pytest.mark.parametrize("format", ["lines", "litellm"])
def test_what_was_told_before_many_kills_is_in_the_bucket_once(
    state: Path, bucket: Bucket, way: Detour, opened: Open, format: str
) -> None:
    outlive_deaths(30, state, bucket, way, opened, format)


def test_two_that_live_leave_each_other_alone(
    state: Path, bucket: Bucket, way: Detour, opened: Open
) -> None:
    way.status = 503
    one, other = (opened(bucket.settings(endpoint=way.endpoint)) for _ in range(2))
    batches = [calls(10) for _ in range(20)]
    for number, batch in enumerate(batches):
        (one, other)[number % 2].tell(batch)
    assert one.figures.waiting == other.figures.waiting == 100

    way.status = 0
    eventually_sync(lambda: one.figures.sent == other.figures.sent == 100, within=20)

    assert bucket.ids() == sorted(id for batch in batches for id in ids(batch))

"""A process that records, for tests that kill it or take its disk away.

    python -m tests.records.victim kill FOLDER [URL]    records until it is killed
    python -m tests.records.victim tell FOLDER          the same, with a sink that writes a file
    python -m tests.records.victim full FOLDER          runs out of disk, then gets some back

It writes a line of JSON whenever there is something to tell.
"""

import itertools
import json
import resource
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from understudy.server.domain.mirroring import Outcome
from understudy.server.domain.tellings import Generation, Telling
from understudy.server.records import Records

from ..stub.eventually import eventually_sync
from .stores import Store
from .telling import answered, new_pair_id, paired, silent_end

IN_FLIGHT = 20
_MOST_WAITING = 5_000  # events and rows: one that is far behind drops some, which is another story
_ENDS = (Outcome.PAIRED, Outcome.FAILED, Outcome.SHED, Outcome.CANCELLED)


def tell(**figures: object) -> None:
    """Write a line."""
    print(json.dumps(figures), flush=True)


class Told:
    """A sink that appends the ids of calls to a file."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file.open("a")

    def tell(self, tellings: Sequence[Telling]) -> None:
        """Append, and have the system have it."""
        for one in tellings:
            if isinstance(one, Generation):
                self._file.write(f"{one.record.id}\n")
        self._file.flush()

    def close(self, timeout: float) -> None:
        """Close the file."""
        self._file.close()


def record_for_ever(records: Records, pause: float) -> None:
    """Keep 20 copies in flight, and tell how many rows are written."""
    under_way: deque[tuple[str, float]] = deque()
    told = 0
    for number in itertools.count():
        pair_id, begin = new_pair_id(), time.monotonic()
        for event in answered(pair_id, start=begin, offered=("gpt-4",)):
            records.recorder.note(event)
        under_way.append((pair_id, begin))
        if len(under_way) >= IN_FLIGHT:
            ended, start = under_way.popleft()
            outcome = _ENDS[number % len(_ENDS)]
            records.recorder.note(silent_end(ended, outcome=outcome, start=start))
        if (written := records.recorder.figures.written) > told:
            told = written
            tell(written=written)
        if number % 10 == 0:
            time.sleep(pause)
        while records.recorder.figures.waiting > _MOST_WAITING:
            time.sleep(pause)


def run_out_of_disk(records: Records, store: Store) -> None:
    """Lower the largest size of a file, record, and raise it again."""
    everything = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = store.file.stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, everything[1]))
    slowest = 0.0
    for _ in range(2000):
        for event in paired(new_pair_id()):
            begin = time.perf_counter()
            records.recorder.note(event)
            slowest = max(slowest, time.perf_counter() - begin)
    eventually_sync(lambda: records.recorder.figures.away, within=20)
    away = records.recorder.figures.away
    resource.setrlimit(resource.RLIMIT_FSIZE, everything)
    eventually_sync(lambda: not records.recorder.figures.away, within=20)
    eventually_sync(lambda: not records.recorder.figures.waiting, within=20)
    figures = records.recorder.figures
    tell(away=away, slowest=slowest, written=figures.written, dropped=figures.dropped)


def main(what: str, folder: str, url: str = "") -> None:
    """Do what is asked."""
    store = Store(Path(folder), url)
    sink = Told(store.folder / "told") if what == "tell" else None
    with store.open(sink=sink) as records:
        if what == "full":
            run_out_of_disk(records, store)
        else:
            record_for_ever(records, 0.01 if what == "tell" else 0.001)


if __name__ == "__main__":
    main(*sys.argv[1:])

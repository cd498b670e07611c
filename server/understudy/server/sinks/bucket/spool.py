"""What is told and not yet in the store: segments on disk, within a bound.

One thread appends, another takes whole segments away; both may at any time. What no longer fits
is counted, the oldest first.
"""

import logging
import threading
from bisect import insort
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from understudy.server.config.sink_settings import Capture
from understudy.server.sinks.bucket.folders import OwnFolder, abandoned
from understudy.server.sinks.bucket.names import Name, instance_name
from understudy.server.sinks.bucket.segments import Segment, Writer, inherit

_LOG = logging.getLogger(__name__)

_FEWEST: Final = 4  # segments that the bound has room for, so that one can go


class Spool:
    """The segments of this process, and those that it has inherited.

    `clock` tells seconds since 1970. Raises OSError where the folder cannot be made or locked.
    """

    def __init__(
        self,
        root: Path,
        instance_id: str,
        *,
        capture: Capture,
        segment_bytes: int,
        most_bytes: int,
        clock: Callable[[], float],
    ) -> None:
        self._root = root
        self._instance = instance_name(instance_id)
        self._folder = OwnFolder.claim(root, self._instance)
        self._capture: Capture = capture
        self._most = most_bytes
        self._segment_bytes = max(1, min(segment_bytes, most_bytes // _FEWEST))
        self._clock = clock
        self._lock = threading.Lock()
        self._writer: Writer | None = None
        self._whole: list[Segment] = []  # the oldest first
        self._taken: Segment | None = None
        self._begun = 0  # segments
        self._bytes = 0
        self._is_full = False
        self.dropped = 0  # records

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._root

    @property
    def waiting(self) -> int:
        """How many records it holds."""
        with self._lock:
            being_written = self._writer.records if self._writer else 0
            return sum(one.left for one in self._whole) + being_written

    @property
    def oldest(self) -> float | None:
        """When the oldest segment was begun, in seconds since 1970; `None` if there is none."""
        with self._lock:
            if self._whole:
                return self._whole[0].name.begun
            return self._writer.name.begun if self._writer else None

    def append(self, lines: list[bytes]) -> bool:
        """Keep lines; return whether a segment was begun or became whole.

        Raises OSError, having counted what it dropped.

        Costs one write for each segment that it touches.
        """
        with self._lock:
            before, done = self._writer, 0
            try:
                for chunk, is_last in self._cut(lines):
                    writer = self._writer or self._begin()
                    writer.append(chunk)
                    done += len(chunk)
                    self._bytes += sum(map(len, chunk))
                    if is_last:
                        self._close()
            except OSError:
                self.dropped += len(lines) - done
                raise
            self._make_room()
            return self._writer is not before

    def close_if_older(self, age: float) -> float:
        """Make the segment that is being written whole if it is so many seconds old.

        Returns in how many seconds it will be. Raises OSError.
        """
        with self._lock:
            if self._writer is None:
                return age
            left = self._writer.name.begun + age - self._clock()
            if 0 < left <= age:  # more, if the clock was set back
                return left
            self._close()
            return age

    def take(self) -> Segment | None:
        """Return the oldest whole segment, which then goes by `remove` or stays by `give_back`."""
        with self._lock:
            self._taken = self._whole[0] if self._whole else None
            return self._taken

    def give_back(self) -> None:
        """Leave the segment that was taken for another time."""
        with self._lock:
            self._taken = None

    def remove(self, segment: Segment) -> None:
        """Forget a segment that is in the store. Its file is unlinked, not overwritten."""
        with self._lock:
            self._taken = None
            self._forget(segment)

    def inherit(self) -> int:
        """Take over what dead processes left; return how many records. Reads all of it."""
        count = 0
        with suppress(OSError), abandoned(self._root, self._folder.path) as folders:
            for path in (file for folder in folders for file in sorted(folder.iterdir())):
                with suppress(OSError):  # it stays, for the next time
                    segment = inherit(path, self._folder.path, self._capture)
                    count += self._adopt(segment)
        return count

    def close(self) -> int:
        """Make everything whole and leave it; return how many records wait for the next start."""
        with self._lock:
            self._close()
        left = self.waiting
        self._folder.leave()
        return left

    def _adopt(self, segment: Segment | None) -> int:
        if segment is None:
            return 0
        with self._lock:
            if any(one.path == segment.path for one in self._whole):
                return 0  # the second half of an inheritance that was cut short
            insort(self._whole, segment, key=lambda one: one.name.stem)
            self._bytes += segment.size
            self._make_room()
        return segment.records

    def _cut(self, lines: list[bytes]) -> Iterator[tuple[list[bytes], bool]]:
        """Yield lines as they go into segments, and whether each of those is full with them."""
        room = self._segment_bytes - (self._writer.size if self._writer else 0)
        chunk: list[bytes] = []
        for line in lines:
            chunk.append(line)
            room -= len(line)
            if room <= 0:
                yield chunk, True
                chunk, room = [], self._segment_bytes
        if chunk:
            yield chunk, False

    def _begin(self) -> Writer:
        self._begun += 1
        name = Name.of(self._clock(), self._instance, self._begun, self._capture)
        self._writer = Writer(self._folder.path, name)
        return self._writer

    def _close(self) -> None:
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        segment = writer.close()
        if segment.records:
            insort(self._whole, segment, key=lambda one: one.name.stem)
        else:
            segment.path.unlink(missing_ok=True)

    def _make_room(self) -> None:
        while self._bytes > self._most:
            going = next((one for one in self._whole if one is not self._taken), None)
            if going is None:
                return
            self.dropped += going.left
            self._forget(going)
            if not self._is_full:
                self._is_full = True
                _LOG.warning(
                    "%s is full: of what waits there for the bucket, the oldest goes", self._root
                )
        if self._bytes < self._most // 2:
            self._is_full = False

    def _forget(self, segment: Segment) -> None:
        with suppress(ValueError):
            self._whole.remove(segment)
            self._bytes -= segment.size
        with suppress(OSError):
            segment.path.unlink(missing_ok=True)

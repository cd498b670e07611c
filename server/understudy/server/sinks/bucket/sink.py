"""The bucket as a sink: what is told becomes lines on disk at once, and objects in a while."""

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from understudy.server.config.settings import EgressSettings
from understudy.server.config.sink_settings import BucketSettings, Capture
from understudy.server.domain.tellings import Generation, Telling
from understudy.server.errors import ConfigError
from understudy.server.sinks.bucket.folder import FolderStore
from understudy.server.sinks.bucket.lines import write_lines
from understudy.server.sinks.bucket.remote import open_remote
from understudy.server.sinks.bucket.spool import Spool
from understudy.server.sinks.bucket.stores import SETTING, ObjectStore, read_address
from understudy.server.sinks.bucket.uploading import Target, Uploader
from understudy.server.sinks.figures import SinkFigures

_LOG = logging.getLogger(__name__)

NAME: Final = "bucket"
PATIENCE: Final = 120.0  # seconds that one object may take: a batch, over a slow line
AT_EXIT: Final = 1.0  # seconds that are left to a sink that nobody has closed


class BucketSink:
    """Keeps each upstream call for a bucket. Told in one thread."""

    def __init__(
        self, spool: Spool, uploader: Uploader, capture: Capture, clock: Callable[[], float]
    ) -> None:
        self._spool = spool
        self._uploader = uploader
        self._capture: Capture = capture
        self._clock = clock
        self._dropped = 0  # records that never came into the spool
        self._fault = ""
        self._closing = threading.Lock()
        self._is_closed = False
        # A request that is under way when the interpreter goes would panic, and say so.
        atexit.register(self.close, AT_EXIT)

    def tell(self, tellings: Sequence[Telling]) -> None:
        """Take calls; they are on disk when this returns. Raises nothing, waits for no network."""
        calls = [one for one in tellings if isinstance(one, Generation)]
        if not calls:
            return
        with self._closing:
            if self._is_closed:
                self._dropped += len(calls)
                return
            self._keep(self._write(calls))

    @property
    def figures(self) -> SinkFigures:
        """How it is now. `sent` and `waiting` include what earlier processes left."""
        oldest = self._spool.oldest
        return SinkFigures(
            name=NAME,
            waiting=self._spool.waiting,
            sent=self._uploader.sent,
            dropped=self._dropped + self._spool.dropped + self._uploader.dropped,
            lag=0.0 if oldest is None else max(0.0, self._clock() - oldest),
            away=self._uploader.away or self._fault,
        )

    def close(self, timeout: float) -> None:
        """Bring what is there to the store, for so many seconds at most, and end. Blocks.

        What is left stays on disk, and whoever starts next brings it.
        """
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
        atexit.unregister(self.close)
        self._uploader.close(timeout)
        if left := self._spool.close():
            _LOG.warning(
                "%d records for the bucket wait in %s for the next start", left, self._spool.path
            )

    def _write(self, calls: Sequence[Generation]) -> list[bytes]:
        try:
            return write_lines(calls, self._capture)
        except Exception as error:  # noqa: BLE001 - one call must not cost the others their record
            if len(calls) == 1:
                # Without the error's own text: that may quote a prompt.
                _LOG.error("a call could not be written for the bucket: %s", type(error).__name__)
                self._dropped += 1
                return []
        return [line for one in calls for line in self._write([one])]

    def _keep(self, lines: list[bytes]) -> None:
        try:
            has_news = self._spool.append(lines)
        except OSError as error:
            words = error.strerror or type(error).__name__
            if not self._fault:
                _LOG.warning(
                    "records for the bucket are dropped: %s cannot be written to: %s",
                    self._spool.path,
                    words,
                )
            self._fault = f"the spool cannot be written to: {words}"
            return
        if self._fault:
            _LOG.warning("records for the bucket are kept again; %d were dropped", self._dropped)
            self._fault = ""
        if has_news:
            self._uploader.notice()


def open_bucket(
    settings: BucketSettings,
    state_dir: Path,
    instance_id: str,
    *,
    egress: EgressSettings = EgressSettings(),  # noqa: B008 - a value, and frozen
    environ: Mapping[str, str] = os.environ,
    clock: Callable[[], float] = time.time,
    patience: float = PATIENCE,
) -> BucketSink:
    """Return a sink that writes to `settings.url`; the store itself is not asked anything yet.

    What waits is below `state_dir/spool/bucket`, also what processes have left that died; calls
    that were captured more freely than `settings.capture` allows now lose their texts there.
    `instance_id` tells this process from others; `environ` is the environment with what the
    configuration adds; `clock` tells seconds since 1970. Raises
    ConfigError for an address that makes no sense, a missing extra, and a folder that cannot be.
    """
    address = read_address(settings.url)
    store: ObjectStore
    if address.scheme == "file":
        store, prefix = FolderStore(Path("/", address.prefix)), ""
    else:
        store, prefix = open_remote(address, settings, egress, environ, patience), address.prefix
    try:
        spool = Spool(
            state_dir / "spool" / NAME,
            instance_id,
            capture=settings.capture,
            segment_bytes=settings.most_bytes,
            most_bytes=settings.spool_bytes,
            clock=clock,
        )
    except OSError as error:
        words = error.strerror or type(error).__name__
        raise ConfigError(
            [f"{SETTING}: its spool in {state_dir} cannot be made: {words}"]
        ) from error
    target = Target(store, prefix, settings.format, address.text)
    uploader = Uploader(spool, target, every=settings.every, clock=time.monotonic)
    return BucketSink(spool, uploader, settings.capture, clock)

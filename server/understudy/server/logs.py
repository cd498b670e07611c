"""Sets the log up: to stderr, text on a terminal and JSON lines otherwise, written by a thread.

The thread matters: a full pipe must hold up nobody but itself. Lines that find the queue full are
counted and dropped.
"""

import atexit
import json
import logging
import logging.handlers
import queue
import sys
from datetime import UTC, datetime
from typing import TextIO

LONGEST_LINE = 4000  # characters of a message
MOST_QUEUED = 10_000


class JsonFormatter(logging.Formatter):
    """One JSON object a line; what callers sent cannot break out of it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:LONGEST_LINE],
        }
        line |= getattr(record, "fields", {})
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """A line for a person's terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, control characters escaped."""
        time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        fields = getattr(record, "fields", {})
        tail = "".join(f" {key}={value}" for key, value in fields.items())
        text = f"{time} {record.levelname.lower():<7} {record.getMessage()[:LONGEST_LINE]}{tail}"
        return "".join(
            one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
        )


class _DroppingHandler(logging.handlers.QueueHandler):
    """Never waits for room."""

    dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        # The message is put together here, while its arguments are as they were; a traceback is
        # left out, because an exception's own text may quote a prompt or a key.
        record.msg = record.getMessage()
        record.args = None
        record.exc_info = None
        record.exc_text = None
        record.stack_info = None
        return record


def set_up_logging(level: str = "info", stream: TextIO | None = None) -> None:
    """Send what `understudy` logs, and warnings of its libraries, to stderr.

    `level` is debug, info, warning or error. What is queued at exit is still written.
    """
    out = stream or sys.stderr
    target = logging.StreamHandler(out)
    target.setFormatter(TextFormatter() if out.isatty() else JsonFormatter())
    waiting: queue.Queue[logging.LogRecord] = queue.Queue(MOST_QUEUED)
    listener = logging.handlers.QueueListener(waiting, target)
    handler = _DroppingHandler(waiting)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("understudy").setLevel(level.upper())
    # grpc and asyncio log exceptions with their text; ours are logged by the guard, without.
    for noisy in ("grpc", "asyncio", "aiohttp"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    listener.start()

    def flush() -> None:
        listener.stop()
        if handler.dropped:
            print(f"{handler.dropped} log lines were dropped", file=out)

    atexit.register(flush)

"""What things are called: segments on disk, objects in the store.

A segment is named when it is begun, and the name of its object follows from that alone, so that
bringing it there a second time, by whichever process, writes the same object again. Pure.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from understudy.server.config.sink_settings import Capture
from understudy.server.sinks.bucket.lines import Place

OPEN: Final = "open"  # is being written
CLOSED: Final = "jsonl"  # is whole

_STAMP: Final = "%Y%m%dT%H%M%S%fZ"
_NAME: Final = re.compile(
    r"(\d{8}T\d{12}Z)-([A-Za-z0-9_-]{1,80})-(\d{6,})\.(metadata|redacted|content)\.(open|jsonl)"
)
_CAPTURES: Final[Mapping[str, Capture]] = {
    "metadata": "metadata",
    "redacted": "redacted",
    "content": "content",
}
_NO_NAME: Final = re.compile(r"[^A-Za-z0-9_-]")
_NO_KEY: Final = re.compile(r"[^A-Za-z0-9._~-]")


class Name(Struct, frozen=True):
    """What a segment is called: when it was begun, by whom, and which of theirs it is."""

    stamp: str
    instance: str
    number: int
    capture: Capture

    @staticmethod
    def of(begun: float, instance: str, number: int, capture: Capture) -> "Name":
        """Return the name of a segment begun at `begun`, in seconds since 1970."""
        return Name(datetime.fromtimestamp(begun, UTC).strftime(_STAMP), instance, number, capture)

    @staticmethod
    def read(file: str) -> "tuple[Name, str] | None":
        """Return the name that a file has and its state, `None` if it is no segment."""
        found = _NAME.fullmatch(file)
        if found is None:
            return None
        stamp, instance, number, capture, state = found.groups()
        try:
            datetime.strptime(stamp, _STAMP)
        except ValueError:
            return None
        return Name(stamp, instance, int(number), _CAPTURES[capture]), state

    @property
    def stem(self) -> str:
        """What the segment and its object have in common; sorts by age."""
        return f"{self.stamp}-{self.instance}-{self.number:06d}"

    @property
    def begun(self) -> float:
        """When it was begun, in seconds since 1970."""
        return datetime.strptime(self.stamp, _STAMP).replace(tzinfo=UTC).timestamp()

    def file(self, state: str) -> str:
        """Return the name of its file."""
        return f"{self.stem}.{self.capture}.{state}"


def instance_name(instance_id: str) -> str:
    """Return an id as file names can hold it."""
    return _NO_NAME.sub("_", instance_id)[:64] or "_"


def batch_key(prefix: str, name: Name) -> str:
    """Return the key of a whole segment: `{prefix}/{YYYY-MM-DD}/{HH}/{segment}.jsonl`, UTC."""
    day, hour = name.stamp[:8], name.stamp[9:11]
    return _join(prefix, f"{day[:4]}-{day[4:6]}-{day[6:]}", hour, f"{name.stem}.jsonl")


def record_key(prefix: str, place: Place) -> str:
    """Return LiteLLM's key of one call: `{prefix}/{YYYY-MM-DD}/time-{HH-MM-SS-micro}_{id}.json`."""
    seconds, micro = divmod(place.started_us, 1_000_000)
    when = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micro)
    id = _NO_KEY.sub("_", place.id)[:256]
    return _join(prefix, f"{when:%Y-%m-%d}", f"time-{when:%H-%M-%S-%f}_{id}.json")


def _join(prefix: str, *parts: str) -> str:
    return "/".join((prefix, *parts) if prefix else parts)

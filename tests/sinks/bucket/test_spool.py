"""What waits on disk is whole, private, bounded, and somebody's."""

import logging
import resource
import stat
import time
from pathlib import Path

import pytest

from understudy.server.config.sink_settings import Capture
from understudy.server.sinks.bucket.folders import OwnFolder, abandoned
from understudy.server.sinks.bucket.lines import write_lines
from understudy.server.sinks.bucket.spool import Spool

from .making import call, calls

CANARY = b"canary-4711"


def spool(
    root: Path, *, capture: Capture = "content", segment_bytes: int = 10**6, most_bytes: int = 10**7
) -> Spool:
    """Return a spool."""
    return Spool(
        root,
        "own",
        capture=capture,
        segment_bytes=segment_bytes,
        most_bytes=most_bytes,
        clock=time.time,
    )


def leave(folder: Path, name: str, data: bytes) -> None:
    """Leave a segment as a process that died."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lock").touch()
    (folder / name).write_bytes(data)


def drain(one: Spool) -> bytes:
    """Take everything that is whole."""
    found = b""
    while (segment := one.take()) is not None:
        found += segment.path.read_bytes()
        one.remove(segment)
    return found


def test_a_torn_last_line_is_cut(tmp_path: Path) -> None:
    whole = b"".join(write_lines(calls(3), "content"))
    leave(tmp_path / "dead", "20260921T141320250000Z-dead-000001.content.open", whole + b'{"id":')
    one = spool(tmp_path)

    assert one.inherit() == 3
    assert drain(one) == whole
    assert not (tmp_path / "dead").exists()


def test_a_segment_of_nothing_but_a_torn_line_goes(tmp_path: Path) -> None:
    leave(tmp_path / "dead", "20260921T141320250000Z-dead-000001.content.open", b'{"id":')
    one = spool(tmp_path)

    assert one.inherit() == 0
    assert one.take() is None
    assert not (tmp_path / "dead").exists()


def test_what_is_inherited_goes_first(tmp_path: Path) -> None:
    leave(tmp_path / "dead", "20200101T000000000000Z-dead-000001.content.jsonl", b'{"old":1}\n')
    one = spool(tmp_path)
    one.append([b'{"new":1}\n'])
    one.close_if_older(0.0)
    one.inherit()

    assert drain(one) == b'{"old":1}\n{"new":1}\n'


def test_texts_left_by_a_freer_capture_are_taken_out(tmp_path: Path) -> None:
    lines = write_lines([call(prompt=CANARY.decode(), answer=CANARY.decode())], "content")
    leave(
        tmp_path / "dead",
        "20260921T141320250000Z-dead-000001.content.open",
        b"".join(lines) + b'{"torn":"' + CANARY,
    )
    leave(tmp_path / "dead", "20260921T141320250000Z-dead-000002.content.part", CANARY)
    one = spool(tmp_path, capture="metadata")

    assert one.inherit() == 1
    assert not any(CANARY in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert drain(one).count(b"\n") == 1


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    one = spool(tmp_path / "state/spool/bucket")
    one.append([b"{}\n"])

    for path in (tmp_path / "state", *(tmp_path / "state").rglob("*")):
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


def test_the_oldest_goes_when_it_is_full(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one = spool(tmp_path, segment_bytes=1_000, most_bytes=10_000)
    lines = [b'{"n":%06d}\n' % number for number in range(5_000)]
    for start in range(0, len(lines), 10):
        one.append(lines[start : start + 10])

    left = one.waiting
    assert sum(file.stat().st_size for file in tmp_path.rglob("*.*")) <= 11_000
    assert one.dropped == len(lines) - left
    one.close_if_older(0.0)
    assert drain(one) == b"".join(lines[-left:])
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_what_is_being_sent_does_not_go(tmp_path: Path) -> None:
    one = spool(tmp_path, segment_bytes=100, most_bytes=400)
    one.append([b'{"n":%093d}\n' % 1])
    taken = one.take()
    assert taken is not None

    for number in range(20):
        one.append([b'{"n":%092d}\n' % number])

    assert taken.path.exists()


def test_a_full_disk_costs_what_is_told_then_and_nothing_else(tmp_path: Path) -> None:
    one = spool(tmp_path)
    one.append([b'{"n":1}\n'] * 100)
    everything = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, everything[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            one.append([b'{"n":2}\n'] * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, everything)
    one.append([b'{"n":3}\n'])
    one.close_if_older(0.0)

    assert one.dropped == 100
    assert drain(one) == b'{"n":1}\n' * 100 + b'{"n":3}\n'


def test_a_clock_that_was_set_back_keeps_nothing_open(tmp_path: Path) -> None:
    now = [1_790_000_000.0]
    one = Spool(
        tmp_path, "own", capture="content", segment_bytes=99, most_bytes=999, clock=lambda: now[0]
    )
    one.append([b"{}\n"])
    now[0] -= 86_400

    assert one.close_if_older(10.0) == 10.0
    assert one.take() is not None


def test_the_living_are_not_inherited_and_the_dead_are(tmp_path: Path) -> None:
    one, other = OwnFolder.claim(tmp_path, "x"), OwnFolder.claim(tmp_path, "x")
    (other.path / "something").touch()
    with abandoned(tmp_path, one.path) as folders:
        assert folders == ()

    other.leave()

    with abandoned(tmp_path, one.path) as folders:
        assert folders == (other.path,)
        with abandoned(tmp_path, one.path) as again:
            assert again == ()
        (other.path / "something").unlink()
    assert not other.path.exists()
    one.leave()
    assert list(tmp_path.iterdir()) == []

"""What was seen last is kept in a file, whole or not at all."""

import os
from pathlib import Path

import pytest

from understudy.server.domain.experiments import Roster
from understudy.server.store.snapshots import FILE, Snapshots

from .making import experiment


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "state")
    roster = Roster(7, {"x": experiment("x", "🎭", 7)})

    snapshots.save(roster)

    assert snapshots.load() == roster
    assert [one.name for one in (tmp_path / "state").iterdir()] == [FILE]
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


def test_without_a_file_there_is_nothing(tmp_path: Path) -> None:
    assert Snapshots(tmp_path).load() is None


@pytest.mark.parametrize("text", [b"", b"{", b'{"revision": "x"}', b"\xff"])
def test_a_broken_file_is_none(
    tmp_path: Path, text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_bytes(text)

    assert Snapshots(tmp_path).load() is None
    assert "cannot be read" in caplog.text


def test_a_folder_that_cannot_be_written_is_no_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("in the way")

    Snapshots(tmp_path / "state").save(Roster(1))

    assert "cannot be kept" in caplog.text


def test_what_a_killed_process_left_behind_is_deleted_later(tmp_path: Path) -> None:
    left, being_written = tmp_path / f"{FILE}-left", tmp_path / f"{FILE}-now"
    left.touch()
    being_written.touch()
    os.utime(left, (0, 0))

    Snapshots(tmp_path).load()

    assert [one.name for one in tmp_path.iterdir()] == [being_written.name]

"""A sink is opened or refused in words; a folder is a store too; no text is where none may be."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from understudy.server.config.sink_settings import BucketSettings, Capture
from understudy.server.domain.deployment import Secret
from understudy.server.errors import ConfigError
from understudy.server.sinks.bucket.remote import explain
from understudy.server.sinks.bucket.sink import BucketSink, open_bucket

from ...stub.eventually import eventually_sync
from .making import call, calls, ids
from .s3 import KEY, Bucket, read_records

Open = Callable[..., BucketSink]
CANARY = "canary-4711"


def files(folder: Path) -> list[Path]:
    """Return the files in a folder."""
    return sorted(one for one in folder.rglob("*") if one.is_file())


@pytest.mark.parametrize("format", ["lines", "litellm"])
def test_a_folder_gets_each_record_once(tmp_path: Path, opened: Open, format: str) -> None:
    folder = tmp_path / "my calls"
    told = calls(20)
    sink = opened(
        BucketSettings(
            url=f"file://{str(folder).replace(' ', '%20')}",
            format="litellm" if format == "litellm" else "lines",
            every=0.05,
        )
    )

    sink.tell(told)
    eventually_sync(lambda: sink.figures.sent == 20, within=10)

    found = [str(one["id"]) for file in files(folder) for one in read_records(file.read_bytes())]
    assert sorted(found) == sorted(ids(told))
    assert len(files(folder)) == (20 if format == "litellm" else 1)


def test_a_folder_that_cannot_be_written_to_is_told_of(tmp_path: Path, opened: Open) -> None:
    (tmp_path / "file").touch()
    sink = opened(BucketSettings(url=f"file://{tmp_path}/file/calls", every=0.05))

    sink.tell(calls(1))
    eventually_sync(lambda: sink.figures.away, within=10)

    assert sink.figures.away == "the folder cannot be written to: Not a directory"
    assert sink.figures.waiting == 1


@pytest.mark.parametrize("capture", ["metadata", "content"])
def test_where_metadata_are_captured_no_text_is_on_disk_or_in_the_bucket(
    bucket: Bucket, opened: Open, state: Path, capture: Capture
) -> None:
    telling = call(prompt=CANARY, answer=CANARY, schema=f'{{"d":"{CANARY}"}}'.encode())
    sink = opened(bucket.settings(capture=capture, every=3600.0))
    sink.tell([telling])
    on_disk = b"".join(one.read_bytes() for one in files(state))
    sink.close(10.0)
    in_bucket = b"".join(bucket.objects().values())

    assert bucket.ids() == [telling.record.id]
    for where in (on_disk, in_bucket):
        assert (CANARY.encode() in where) == (capture == "content")
        assert KEY.encode() not in where


def test_telling_costs_the_recorder_little(tmp_path: Path, opened: Open) -> None:
    sink = opened(BucketSettings(url=f"file://{tmp_path}/calls", every=3600.0))
    told = calls(64)

    begin = time.thread_time()
    for _ in range(20):
        sink.tell(told)
    each = (time.thread_time() - begin) / 20 / 64

    assert each < 100e-6  # some 6 µs on an idle machine


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (None, "is missing"),
        ("calls", "must begin with"),
        ("ftp://host/x", "must begin with"),
        ("s3:///x", "must name a bucket"),
        ("file://host/x", "must name a folder"),
        ("file:///", "must name a folder"),
        (f"s3://user:{CANARY}@bucket/x", "must not hold credentials"),
        (f"s3://bucket/x?key={CANARY}", "must end with the prefix"),
        (f"s3://[{CANARY}/x", "must be a URL"),
        ("s3://bucket/a/../b", "must not hold"),
    ],
)
def test_an_address_that_makes_no_sense_is_refused(
    tmp_path: Path, url: str | None, words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as refusal:
        open_bucket(BucketSettings(url=url), tmp_path, "own")

    assert str(refusal.value).startswith("understudy.sinks.bucket.url: ")
    assert CANARY not in str(refusal.value)


def test_half_a_key_is_refused_and_not_quoted(tmp_path: Path) -> None:
    settings = BucketSettings(url="s3://bucket", access_key_id=Secret(CANARY))

    with pytest.raises(ConfigError, match="secret_access_key: is missing") as refusal:
        open_bucket(settings, tmp_path, "own")

    assert CANARY not in repr(refusal.value)


def test_an_environment_that_obstore_refuses_is_not_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key.json").write_text(f'{{"private_key": "{CANARY}"}}')
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))

    with pytest.raises(ConfigError, match="gs://bucket cannot be opened") as refusal:
        open_bucket(BucketSettings(url="gs://bucket"), tmp_path, "own")

    assert CANARY not in repr(refusal.value)
    assert refusal.value.__cause__ is None


def test_a_sink_that_nobody_closes_ends_in_silence(tmp_path: Path) -> None:
    script = f"""
import socket
from pathlib import Path
from tests.sinks.bucket.making import calls
from tests.sinks.bucket.s3 import Bucket
from understudy.server.sinks.bucket.sink import open_bucket
listener = socket.create_server(("127.0.0.1", 0))
settings = Bucket(f"http://127.0.0.1:{{listener.getsockname()[1]}}", "calls").settings()
sink = open_bucket(settings, Path({str(tmp_path)!r}), "own")
sink.tell(calls(3))
listener.accept()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )

    assert "panicked" not in done.stderr
    assert "3 records for the bucket wait in" in done.stderr


def test_a_spool_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").touch()

    with pytest.raises(ConfigError, match=r"its spool in .* cannot be made: File exists"):
        open_bucket(BucketSettings(url=f"file://{tmp_path}/x"), tmp_path / "state", "own")


def test_a_missing_extra_is_named_and_a_folder_needs_none(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
sys.modules["obstore"] = None
from understudy.server.config.sink_settings import BucketSettings
from understudy.server.errors import ConfigError
from understudy.server.sinks.bucket.sink import open_bucket
open_bucket(BucketSettings(url="file://{tmp_path}/calls"), Path({str(tmp_path)!r}), "a").close(5)
try:
    open_bucket(BucketSettings(url="gs://calls"), Path({str(tmp_path)!r}), "b")
except ConfigError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout == (
        "understudy.sinks.bucket.url: gs:// needs: pip install 'understudy[s3]'\n"
    )


def test_a_failure_of_the_role_is_told_apart_from_one_of_the_store() -> None:
    role = "Error performing PUT http://169.254.169.254/latest/api/token in 1ms - HTTP error: x"
    store = "Error performing PUT http://s3.test/b/calls/a.jsonl in 1ms - HTTP error: x"

    assert explain(role, "calls/a.jsonl").startswith("no credentials")
    assert explain(store, "calls/a.jsonl") == "the store cannot be reached"

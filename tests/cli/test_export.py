"""`understudy export`: what is in the store is in the file, whole or not at all."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from understudy.server.cli.export import export
from understudy.server.cli.export_rows import PAIR_COLUMNS, RECORD_COLUMNS, Kind
from understudy.server.domain.feedback import Feedback
from understudy.server.domain.mirroring import Outcome
from understudy.server.domain.record_queries import Found, Query
from understudy.server.domain.records import Kept
from understudy.server.records import Records

from ..records.stores import Store
from ..records.telling import answered, new_pair_id, paired, request, silent_end
from ..records.test_service import listening
from ..stub.eventually import eventually

ROOT = Path(__file__).parents[2]
PAIRS = 2500  # two calls each
HOSTILE = 'NUL \0, a lone line end \u2028, "quotes", ,commas, = 1 + 1 and \U0001f600'


@dataclass(frozen=True, slots=True)
class House:
    """A service with many records."""

    records: Records
    target: str

    def begin(
        self,
        *arguments: str,
        key: str = "reader-key",
        stdout: int = subprocess.PIPE,
        code: str = "",
    ) -> "subprocess.Popen[bytes]":
        """Begin `understudy export …`, or a program of one's own that does."""
        command = ["-c", code] if code else ["-m", "understudy.server"]
        return subprocess.Popen(
            [sys.executable, *command, "export", *arguments, "--target", self.target],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "UNDERSTUDY_API_KEY": "reader-key"},
            cwd=ROOT,
        )

    async def export(self, *arguments: str, key: str = "reader-key") -> "Done":
        """Run it to its end, in a thread: a process takes its time to begin."""
        runner = CliRunner(env={"UNDERSTUDY_API_KEY": key})
        done = await asyncio.to_thread(runner.invoke, export, [*arguments, "--target", self.target])
        return Done(done.exit_code, done.stdout_bytes, done.stderr)


@dataclass(frozen=True, slots=True)
class Done:
    """What an export came to."""

    code: int
    out: bytes
    told: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The lines that it printed."""
        return [json.loads(line) for line in self.out.splitlines()]


@asynccontextmanager
async def housing(folder: Path, pairs: int = 5) -> AsyncGenerator[House]:
    store = Store(folder / "state")
    with store.open(store.settings(capture="content")) as records:
        for number in range(pairs):
            pair_id, now = new_pair_id(), time.monotonic() - 60
            labels = {"team": f"t{number % 3}", "odd, label": HOSTILE}
            asked = request(f"{number} {HOSTILE}", metadata=labels)
            events = [*answered(pair_id, start=now + number / 1e4, of=asked, offered=("gpt-4",))]
            events.append(silent_end(pair_id, start=now + number / 1e4, latency=0.25))
            for event in events:
                records.recorder.note(event)
            if number % 500 == 0:
                await eventually(lambda: not records.recorder.figures.waiting, within=10)
        await eventually(lambda: not records.recorder.figures.waiting, within=10)
        async with listening(records) as target:
            yield House(records, target)


def list_all(records: Records) -> list[Kept]:
    found: list[Kept] = []
    query = Query(limit=1000)
    while True:
        page: Found[Kept] = records.reader.list_records(query, with_texts=True)
        found += [one for one, _ in page.items]
        if not page.has_more:
            return found
        query = Query(limit=1000, after=page.items[-1][1])


def expect(kept: Kept) -> dict[str, object]:
    """What the file must say of a record, word by word."""
    one, usage = kept.record, kept.record.usage
    assert usage is not None
    assert kept.texts.messages is not None
    assert kept.texts.choices is not None
    return {
        "start_time": one.started,
        "pair_id": one.pair_id,
        "id": one.id,
        "role": one.role.value,
        "request_id": one.request_id,
        "caller": one.caller,
        "metadata": dict(one.metadata),
        "experiment": one.experiment,
        "variant": one.variant,
        "epoch": one.epoch,
        "assignment": one.assignment,
        "key_hash": one.key_hash,
        "overridden": one.overridden,
        "streamed": one.streamed,
        "config_revision": one.revision,
        "capture": "CONTENT",
        "text_absent_cause": "",
        "messages": [{"role": said.role, "content": said.content} for said in kept.texts.messages],
        "effective_fraction": one.effective_fraction,
        "model_group": one.group,
        "deployment": one.deployment,
        "provider": one.provider,
        "model": one.model,
        "served_model": one.served_model,
        "attempt": one.attempt,
        "status_code": 0,
        "reason": one.reason,
        "upstream_status": one.upstream_status,
        "finish_reason": one.finish_reason,
        "latency_us": one.latency,
        "first_token_us": one.first_token,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "cached_tokens": 0,
        "reasoning_tokens": 0,
        "cost_nano_usd": one.cost,
        "cost_status": one.cost_status.value,
        "cost_reason": one.cost_reason,
        "price_version": one.price_version,
        "request_bytes": one.request_bytes,
        "response_bytes": one.response_bytes,
        "warnings": [],
        "feedback": [],
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": choice.message.content},
                "finish_reason": "stop",
                "logprobs": None,
            }
            for choice in kept.texts.choices
        ],
    }


def read_instants(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with their instants as microseconds."""
    epoch = datetime.fromisoformat("1970-01-01T00:00:00Z")
    for row in rows:
        since = datetime.fromisoformat(row["start_time"]) - epoch
        row["start_time"] = round(since.total_seconds() * 1e6)
    return list(rows)


def read_parquet(path: Path) -> list[dict[str, Any]]:
    parquet = pytest.importorskip("pyarrow.parquet")
    rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist(maps_as_pydicts="strict")
    epoch = datetime.fromisoformat("1970-01-01T00:00:00Z")
    for row in rows:
        row["start_time"] = round((row["start_time"] - epoch).total_seconds() * 1e6)
        for name, kind in {**RECORD_COLUMNS, **PAIR_COLUMNS}.items():
            if kind is Kind.WORDS and name in row:
                row[name] = json.loads(row[name])
    return rows


@pytest.mark.asyncio
async def test_what_is_in_the_store_is_in_the_file(tmp_path: Path) -> None:
    lines, table = tmp_path / "calls.jsonl", tmp_path / "calls.parquet"
    async with housing(tmp_path, PAIRS) as house:
        done = await house.export("records", "--output", str(lines))
        also = await house.export("records", "-o", str(table), "--since", "1h")
        stored = [expect(one) for one in list_all(house.records)]
        sides = await house.export("pairs")

    assert (done.code, also.code, sides.code) == (0, 0, 0)
    assert f"exported {2 * PAIRS:,} rows of records to {lines}" in done.told
    assert len(stored) == 2 * PAIRS
    assert read_instants([json.loads(line) for line in lines.read_bytes().splitlines()]) == stored
    assert read_parquet(table) == stored
    assert len(sides.rows) == PAIRS
    assert {tuple(row) for row in sides.rows} == {tuple(PAIR_COLUMNS)}


@pytest.mark.asyncio
async def test_a_pair_is_a_row_for_each_silent_model(tmp_path: Path) -> None:
    async with housing(tmp_path, 0) as house:
        pair_id = new_pair_id()
        for event in paired(pair_id):
            house.records.recorder.note(event)
        shed = new_pair_id()
        for event in answered(shed, offered=("gpt-4", "llama")):
            house.records.recorder.note(event)
        end = silent_end(shed, "llama", Outcome.SHED, reason="QUEUE_FULL")
        house.records.recorder.note(end)
        await eventually(lambda: not house.records.recorder.figures.waiting)
        house.records.feedback.keep(Feedback("mine", pair_id, "stars", 4.0, "gpt-4", "alice"))
        rows = (await house.export("pairs")).rows
        table = tmp_path / "pairs.parquet"
        await house.export("pairs", "-o", str(table))
        same = read_parquet(table)

    told = {(row["pair_id"], row["silent_model"]): row for row in rows}
    row = told[pair_id, "gpt-4"]
    assert (row["outcome"], row["latency_difference_us"]) == ("PAIRED", 1_000_000)
    assert (row["primary_latency_us"], row["silent_latency_us"]) == (500_000, 1_500_000)
    assert (row["primary_length"], row["length_difference"]) == (5, 3)
    assert row["silent_choices"][0]["message"]["content"] == "good day"
    assert [one["number"] for one in row["silent_feedback"]] == [4.0]
    assert row["primary_feedback"] == []
    assert told[shed, "llama"]["outcome_reason"] == "QUEUE_FULL"
    assert told[shed, "llama"]["silent_latency_us"] is None
    assert told[shed, "gpt-4"]["outcome"] == "UNDER_WAY"
    assert [one["silent_feedback"][0]["number"] for one in same if one["silent_feedback"]] == [4.0]


@pytest.mark.asyncio
async def test_only_what_is_asked_for_is_written(tmp_path: Path) -> None:
    async with housing(tmp_path) as house:
        done = await house.export("records", "-f", "role = SILENT OR attempt > 5", "--since", "1h")
        none = await house.export("records", "--filter", "model_group = none")
        wrong = await house.export("records", "--filter", "modl = none", "-o", "none.jsonl")
        also = await house.export("records", "--since", "yesterday")

    assert [row["role"] for row in done.rows] == ["SILENT"] * 5
    assert (none.code, none.out) == (0, b"")
    assert "exported 0 rows of records" in none.told
    assert wrong.code == 1
    assert "'modl' is no field" in wrong.told
    assert also.code == 2
    assert not Path("none.jsonl").exists()


@pytest.mark.asyncio
async def test_texts_are_for_readers_and_that_is_said_once(tmp_path: Path) -> None:
    async with housing(tmp_path) as house:
        done = await house.export("records", key="viewer-key")
        refused = await house.export("records", key="caller-key")

    assert len(done.rows) == 10
    assert all(row["messages"] == row["choices"] == [] for row in done.rows)
    assert done.told.count("role `reader`") == 1
    assert "10 without texts" in done.told
    assert refused.code == 1
    assert "lacks the role 'viewer'" in refused.told
    assert refused.out == b""


@pytest.mark.asyncio
async def test_a_reader_that_goes_away_ends_it_without_a_word(tmp_path: Path) -> None:
    async with housing(tmp_path, 1200) as house:
        process = house.begin("records")
        assert process.stdout is not None
        line = await asyncio.to_thread(process.stdout.readline)
        process.stdout.close()
        code = await asyncio.to_thread(process.wait, 30)
        assert process.stderr is not None
        told = process.stderr.read().decode()
        process.stderr.close()

    assert json.loads(line)["pair_id"]
    assert code == 1
    assert "Traceback" not in told
    assert "exported" not in told


# Stops for good after the first rows, as if the service were slow.
HANGING = """
import faulthandler, sys, time
faulthandler.dump_traceback_later(25, exit=True)
from understudy.server.cli import commands, export
from understudy.server.cli import export_writers

module = sys.modules["understudy.server.cli.export"]
class Hanging(export_writers.{writer}):
    def write(self, rows):
        super().write(rows)
        print("begun", flush=True)
        time.sleep(60)
module._WRITERS = {{"jsonl": Hanging, "parquet": Hanging}}
commands()
"""


@pytest.mark.asyncio
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("writer", ["LineWriter", "ParquetWriter"])
async def test_a_signal_leaves_no_half_file(
    tmp_path: Path, sign: signal.Signals, writer: str
) -> None:
    pytest.importorskip("pyarrow")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "calls").write_text("the export before\n")
    async with housing(tmp_path) as house:
        code = HANGING.format(writer=writer)
        process = house.begin("records", "-o", str(folder / "calls"), code=code)
        assert process.stdout is not None
        begun = await asyncio.to_thread(process.stdout.readline)
        during = sorted(one.name for one in folder.iterdir())
        process.send_signal(sign)
        _, told = await asyncio.to_thread(process.communicate, timeout=30)

    assert begun == b"begun\n"
    assert len(during) == 2
    assert process.returncode in (1, 143)
    assert b"Traceback" not in told
    assert b"Exception ignored" not in told
    assert [one.name for one in folder.iterdir()] == ["calls"]
    assert (folder / "calls").read_text() == "the export before\n"


@pytest.mark.asyncio
async def test_a_service_that_goes_away_is_told_with_how_to_go_on(tmp_path: Path) -> None:
    store = Store(tmp_path / "state")
    target = tmp_path / "calls.jsonl"
    with store.open() as records:
        for _ in range(800):
            for event in paired(new_pair_id()):
                records.recorder.note(event)
        await eventually(lambda: not records.recorder.figures.waiting, within=10)
        async with listening(records) as address:
            house = House(records, address)
            piped = house.begin("records")
            assert piped.stdout is not None
            await asyncio.to_thread(piped.stdout.readline)
            # Its first page is there, and a pipe holds no whole one.
            store.file.rename(tmp_path / "away")
            store.file.mkdir()
            assert piped.stderr is not None
            out = await asyncio.to_thread(piped.stdout.read)
            told = await asyncio.to_thread(piped.stderr.read)
            await asyncio.to_thread(piped.wait, 30)
            piped.stdout.close()
            piped.stderr.close()
            filed = await house.export("records", "-o", str(target))
        store.file.rmdir()
        (tmp_path / "away").rename(store.file)

    assert piped.returncode == 1
    assert len(out.splitlines()) == 999
    assert b"cut after 1,000 rows; go on from there with --filter 'start_time <= " in told
    assert b"the records cannot be read" in told
    assert filed.code == 1
    assert "was not written; the export can be run again" in filed.told
    assert not target.exists()


def test_a_place_that_cannot_be_written_to_is_a_mistake(tmp_path: Path) -> None:
    for output, told in (
        (str(tmp_path), "is a folder"),
        (str(tmp_path / "none" / "x.jsonl"), "nothing can be written to"),
    ):
        done = CliRunner().invoke(export, ["records", "-o", output])
        assert done.exit_code == 2
        assert told in done.stderr


def test_without_pyarrow_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = CliRunner().invoke(export, ["records", "-o", str(tmp_path / "x.parquet")])

    assert done.exit_code == 2
    assert "pip install 'understudy[parquet]'" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.asyncio
async def test_duckdb_and_pandas_read_what_is_written(tmp_path: Path) -> None:
    duckdb, pandas = pytest.importorskip("duckdb"), pytest.importorskip("pandas")
    lines, table = tmp_path / "calls.jsonl", tmp_path / "calls.parquet"
    async with housing(tmp_path) as house:
        await house.export("records", "-o", str(lines))
        await house.export("records", "-o", str(table))

    for source in (lines, table):
        found = duckdb.sql(
            f"SELECT model_group, count(*), median(latency_us), typeof(min(start_time)) "
            f"FROM '{source}' GROUP BY model_group ORDER BY model_group"
        ).fetchall()
        assert [row[:3] for row in found] == [("gpt-3.5-turbo", 5, 5e5), ("gpt-4", 5, 2.5e5)]
        assert all(row[3].startswith("TIMESTAMP") for row in found)
    frame = pandas.read_json(lines, lines=True)
    assert frame.groupby("model_group").latency_us.median().to_dict() == {
        "gpt-3.5-turbo": 500_000,
        "gpt-4": 250_000,
    }


def test_every_column_is_documented() -> None:
    document = (ROOT / "docs/export.md").read_text()
    own = {*RECORD_COLUMNS, *PAIR_COLUMNS}
    shared = {f"{side}_{name}" for side in ("primary", "silent") for name in RECORD_COLUMNS}

    assert [one for one in sorted(own - shared) if f"`{one}`" not in document] == []

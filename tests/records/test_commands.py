"""`understudy records` and `understudy pairs`, as a person sees them."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import click
import pytest
from click.testing import CliRunner, Result
from rich.text import Text

from understudy.server.cli.differences import mark_differences
from understudy.server.cli.pairs import pairs
from understudy.server.cli.records import records as list_records
from understudy.server.domain.mirroring import Outcome
from understudy.server.errors import Reason
from understudy.server.events import AttemptEnded, AttemptStarted, CallEnded, CallStarted

from ..stub.eventually import eventually_sync
from .stores import Store
from .telling import answered, new_pair_id, paired, request, silent_end
from .test_service import listening

OLD = "The capital of France is Paris."
NEW = "Paris is the capital of France, and has been for long."


class Terminal:
    """Runs commands against a service, 100 columns wide."""

    def __init__(self, target: str, pair_id: str) -> None:
        self._target = target
        self.pair_id = pair_id

    async def run(
        self, command: click.Command, *arguments: str, key: str = "reader-key", **env: str
    ) -> Result:
        environment = {"COLUMNS": "100", "UNDERSTUDY_API_KEY": key, **env}
        runner = CliRunner(env=environment)
        return await asyncio.to_thread(
            runner.invoke, command, [*arguments, "--target", self._target]
        )


@asynccontextmanager
async def terminal(store: Store) -> AsyncGenerator[Terminal]:
    """A service with a pair, one that failed, and one under way."""
    with store.open(store.settings(capture="content")) as records:
        begin = time.monotonic()
        pair_id, slow = new_pair_id(), new_pair_id()
        asked = request("What is the capital of France?", stream=True)
        told = [
            *answered(pair_id, start=begin - 5, of=asked, offered=("gpt-4",), text=OLD),
            silent_end(pair_id, start=begin - 5, text=NEW, primary_length=len(OLD)),
            *paired(slow, "gpt-4", start=begin - 4, latency=9.0, text="\x1b[2Jhidden [red]"),
        ]
        failed = new_pair_id()
        told += answered(failed, start=begin - 3, offered=("gpt-4", "llama"))
        told.append(silent_end(failed, outcome=Outcome.FAILED, start=begin - 3, latency=0.2))
        told.append(silent_end(failed, "llama", Outcome.SHED, reason="QUEUE_FULL"))
        refused = new_pair_id()
        told += [
            CallStarted(refused, begin, request(), 1),
            AttemptStarted(refused, begin, 1, "g", "g-1", "openai", "g", "https://x", 10),
            AttemptEnded(refused, begin + 1, 1, Reason.UPSTREAM_OVERLOADED, 503, None),
            CallEnded(refused, begin + 1, Reason.UPSTREAM_OVERLOADED, 1),
        ]
        for event in told:
            records.recorder.note(event)
        eventually_sync(lambda: not records.recorder.figures.waiting)
        async with listening(records) as target:
            yield Terminal(target, pair_id)


@pytest.mark.asyncio
async def test_records_are_a_table(sqlite_store: Store) -> None:
    async with terminal(sqlite_store) as shell:
        done = await shell.run(list_records)

    assert done.exit_code == 0
    head, *rows = done.output.splitlines()
    assert head.split() == [
        "time",
        "role",
        "model",
        "group",
        "outcome",
        "latency",
        "tokens",
        "pair",
    ]
    assert "UPSTREAM_OVERLOADED" in done.output.replace("\n", "").replace(" ", "")
    assert sum(" silent " in row for row in rows) == 3
    assert "9.00 s" in done.output


@pytest.mark.asyncio
async def test_records_can_be_narrowed_and_had_as_json(sqlite_store: Store) -> None:
    async with terminal(sqlite_store) as shell:
        done = await shell.run(
            list_records, "--filter", "role = SILENT OR role = RETRY", "--since", "1h", "--json"
        )
        none = await shell.run(list_records, "--filter", "latency > 1h")

    told = [json.loads(line) for line in done.output.splitlines()]
    assert [one["isSilentExperiment"] for one in told] == [True] * 3
    assert none.output == "No records match.\n"


@pytest.mark.asyncio
async def test_a_faulty_filter_is_one_line(sqlite_store: Store) -> None:
    async with terminal(sqlite_store) as shell:
        done = await shell.run(list_records, "--filter", "latncy > 2s")

    assert done.exit_code == 1
    assert "at character 1: 'latncy' is no field; did you mean 'latency'?" in done.output
    assert "Traceback" not in done.output


@pytest.mark.asyncio
async def test_a_pair_is_shown_side_by_side_with_its_differences(sqlite_store: Store) -> None:
    async with terminal(sqlite_store) as shell:
        done = await shell.run(pairs, shell.pair_id)

    assert done.exit_code == 0
    assert "user: What is the capital of France?" in done.output
    assert "gpt-3.5-turbo  primary" in done.output
    assert "gpt-4  silent, PAIRED" in done.output
    assert "[-" in done.output
    assert "{+" in done.output
    assert "1.50 s (+1.00 s)" in done.output
    assert "similarity 0.25 · 31 → 54 characters (+23)" in done.output
    assert all(len(line) <= 100 for line in done.output.splitlines())


@pytest.mark.asyncio
async def test_the_worst_pair_comes_first_and_cannot_move_the_cursor(sqlite_store: Store) -> None:
    async with terminal(sqlite_store) as shell:
        done = await shell.run(pairs, "--worst", "latency", "-n", "1", "--silent", "gpt-4")
        cost = await shell.run(pairs, "--worst", "cost")

    assert "9.00 s (+8.50 s)" in done.output
    assert "\\x1b[2Jhidden [red]" in done.output.replace("{+", "").replace("+}", "")
    assert "\x1b" not in done.output
    assert cost.output == "No pair has a known cost on both sides.\n"


@pytest.mark.asyncio
async def test_a_side_that_has_no_words_says_why(sqlite_store: Store) -> None:
    async with terminal(sqlite_store) as shell:
        done = await shell.run(pairs, "--filter", "outcome = SHED")
        hidden = await shell.run(pairs, shell.pair_id, key="viewer-key")

    assert "llama  silent, SHED QUEUE_FULL" in done.output
    assert "nothing was sent" in done.output
    assert "gpt-4-1 UPSTREAM_INTERNAL_ERROR (HTTP 500)" in done.output
    assert "role `reader` only" in " ".join(hidden.output.replace("│", " ").split())


@pytest.mark.asyncio
async def test_a_pair_that_is_none_is_one_line(sqlite_store: Store) -> None:
    async with terminal(sqlite_store) as shell:
        done = await shell.run(pairs, "none")
        since = await shell.run(pairs, "--since", "yesterday")

    assert (done.exit_code, since.exit_code) == (1, 2)
    assert "PAIR_NOT_FOUND" in done.output or "no pair has the id none" in done.output
    assert "is not a span such as" in since.output


@pytest.mark.parametrize(
    ("left", "right", "marked"),
    [
        ("same", "same", ("same", "same")),
        ("a b", "a c", ("a [-b-]", "a {+c+}")),
        ("", "new", ("", "{+new+}")),
        ("w " * 2000, "v", ("w " * 2000, "v")),
    ],
)
def test_differences_are_marked_by_word(left: str, right: str, marked: tuple[str, str]) -> None:
    plain = mark_differences(left, right, styled=False)
    styled = mark_differences(left, right, styled=True)

    assert (plain[0].plain, plain[1].plain) == marked
    assert (styled[0].plain, styled[1].plain) == (left, right)
    assert isinstance(styled[0], Text)

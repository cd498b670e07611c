"""`understudy export`: records or pairs of a running service, as JSON lines or Parquet."""

import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, islice
from typing import BinaryIO, Final, Literal

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from understudy.client import Client, UnderstudyError
from understudy.client.history import read_since
from understudy.server.cli.calling import calling, target_option
from understudy.server.cli.export_files import opening
from understudy.server.cli.export_rows import (
    PAIR_COLUMNS,
    RECORD_COLUMNS,
    Kind,
    Row,
    pair_rows,
    record_rows,
)
from understudy.server.cli.export_writers import LineWriter, ParquetWriter, Writer
from understudy.server.cli.showing import harmless, since_filter

AT_ONCE: Final = 200  # rows handed to a writer
_WRITERS: Final[Mapping[str, Callable[[BinaryIO, Mapping[str, Kind]], Writer]]] = {
    "jsonl": LineWriter,
    "parquet": ParquetWriter,
}


@dataclass(slots=True)
class _Tally:
    """What has been written so far."""

    rows: int = 0
    last: int | None = None  # when the last row's call began, in microseconds
    absences: Counter[str] = field(default_factory=Counter[str])

    def count(self, rows: Sequence[Row]) -> None:
        """Count some more."""
        self.rows += len(rows)
        for row in rows:
            if isinstance(instant := row["start_time"], int):
                self.last = instant
            if cause := row["text_absent_cause"]:
                self.absences[str(cause)] += 1


@click.command()
@target_option
@click.argument("what", type=click.Choice(["records", "pairs"]))
@click.option("--filter", "-f", "text", default="", help="Such as: role = SILENT AND latency > 2s")
@click.option("--since", help="Not older than this, such as 30m, 24h or 7d.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "parquet"]),
    help="[default: by the file's name, else jsonl]",
)
@click.option("--output", "-o", default="-", help="The file; it appears when it is whole.  [-]")
def export(
    *,
    target: str | None,
    what: Literal["records", "pairs"],
    text: str,
    since: str | None,
    form: Literal["jsonl", "parquet"] | None,
    output: str,
) -> None:
    """Write upstream calls (RECORDS), or requests that were played to silent models (PAIRS).

    Newest first. Prompts and answers are in it where they are kept and the key has the role
    `reader`.
    """
    form = form or ("parquet" if output.endswith((".parquet", ".pq")) else "jsonl")
    if form == "parquet" and output == "-" and sys.stdout.isatty():
        raise click.UsageError("Parquet is not for terminals; name a file by --output")
    columns = RECORD_COLUMNS if what == "records" else PAIR_COLUMNS
    begin = datetime.now(UTC)
    narrowed = _narrow(text, since)
    tally = _Tally()
    with calling(target) as service, opening(output) as file:
        try:
            with _writing(_WRITERS[form](file, columns)) as writer, _progress(since, begin) as show:
                rows = _find(service, what, narrowed)
                while some := list(islice(rows, AT_ONCE)):
                    writer.write(some)
                    tally.count(some)
                    show(tally)
        except UnderstudyError:
            _tell_how_far(tally, what, output)
            raise
    _tell_end(tally, what, output)


@contextmanager
def _writing(writer: Writer) -> Generator[Writer]:
    try:
        yield writer
    except BaseException:
        # Or it would close itself, and complain, when the file is closed already.
        with suppress(Exception):
            writer.close()
        raise
    writer.close()


def _narrow(text: str, since: str | None) -> str:
    terms = [f"({text})"] if text.strip() else []
    return " AND ".join([*terms, *([since_filter(since)] if since else [])])


def _find(service: Client, what: str, text: str) -> Iterator[Row]:
    if what == "records":
        return chain.from_iterable(map(record_rows, service.records(text)))
    return chain.from_iterable(map(pair_rows, service.pairs(text)))


@contextmanager
def _progress(since: str | None, begin: datetime) -> Generator[Callable[[_Tally], None]]:
    """Show how far it is on stderr, if that is a terminal.

    How many rows there are is not known, but with `since` how much of that time is done.
    """
    console = Console(stderr=True)
    columns = (
        BarColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TextColumn("{task.fields[back]}", style="dim"),
        TimeElapsedColumn(),
    )
    whole = (begin - read_since(since, begin)).total_seconds() if since else None
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=whole, rows=0, back="")

        def show(tally: _Tally) -> None:
            last = None if tally.last is None else datetime.fromtimestamp(tally.last / 1e6, UTC)
            done = 0.0 if last is None else (begin - last).total_seconds()
            back = "" if last is None else f"back to {last:%Y-%m-%d %H:%M} UTC"
            progress.update(task, completed=done, rows=tally.rows, back=back)

        yield show


def _tell_how_far(tally: _Tally, what: str, output: str) -> None:
    """Say what came of an export that a fault of the service has ended."""
    if output != "-":
        click.echo(f"understudy: {output} was not written; the export can be run again", err=True)
        return
    if tally.last is None:
        return
    last = datetime.fromtimestamp(tally.last / 1e6, UTC).isoformat(timespec="microseconds")
    click.echo(
        f"understudy: cut after {tally.rows:,} rows; go on from there with "
        f"--filter 'start_time <= \"{last}\"', which repeats the {what} of that instant",
        err=True,
    )


def _tell_end(tally: _Tally, what: str, output: str) -> None:
    where = "" if output == "-" else f" to {output}"
    rows = "1 row" if tally.rows == 1 else f"{tally.rows:,} rows"
    click.echo(f"understudy: exported {rows} of {what}{where}", err=True)
    for cause, count in tally.absences.most_common():
        click.echo(f"understudy: {count:,} without texts: {harmless(cause)}", err=True)

"""`understudy records`: the upstream calls of a running service, newest first."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click
from google.protobuf import json_format
from rich.console import Console
from rich.table import Table
from rich.text import Text

from understudy.client import Client
from understudy.server.cli.calling import TIMEOUT, calling, target_option
from understudy.server.cli.showing import cost, harmless, instant, seconds, since_filter, span
from understudy.v1 import record_pb2, record_pb2_grpc

LARGEST_PAGE = 1000

_OUTCOMES = {0: ("ok", "green"), 1: ("cancelled", "yellow")}


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the table. Names are Text, or brackets in them would be taken for markup."""

    name: str
    cells: Sequence[str | Text]
    is_figure: bool = False
    least_width: int = 0  # of the terminal


@click.command()
@target_option
@click.option(
    "--filter",
    "-f",
    "text",
    default="",
    help="Such as: role = SILENT AND latency > 2s AND metadata.team = web",
)
@click.option("--since", help="Not older than this, such as 30m, 1h or 7d.")
@click.option(
    "--order",
    default="",
    help="start_time, latency or cost, with or without ' desc'.  [default: newest first]",
)
@click.option("--limit", "-n", type=click.IntRange(1), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print everything, a line of JSON each.")
def records(
    *, target: str | None, text: str, since: str | None, order: str, limit: int, as_json: bool
) -> None:
    """Show the calls that were made to models, mirrored ones included."""
    if since:
        text = f"({text}) AND {since_filter(since)}" if text.strip() else since_filter(since)
    request = record_pb2.ListRecordsRequest(filter=text, order_by=order)
    with calling(target) as service:
        found = list(_fetch(service, request, limit))
    if as_json:
        for one in found:
            click.echo(json.dumps(json_format.MessageToDict(one), ensure_ascii=False))
        return
    console = Console()
    if not found:
        console.print("No records yet." if not text else "No records match.", style="dim")
        return
    console.print(_table(found, console.width))


def _fetch(
    service: Client, request: record_pb2.ListRecordsRequest, limit: int
) -> Iterator[record_pb2.Record]:
    stub = service.raw_stub(record_pb2_grpc.RecordServiceStub)
    while limit > 0:
        request.page_size = min(limit, LARGEST_PAGE)
        page = stub.ListRecords(request, timeout=TIMEOUT, metadata=service.raw_metadata)
        yield from page.records
        limit -= len(page.records)
        request.page_token = page.next_page_token
        if not request.page_token:
            return


def _table(found: list[record_pb2.Record], width: int) -> Table:
    """Return records as a table; a column that nobody fills, or has room for, is left out."""
    columns = [
        _Column("time", [instant(one.start_time) for one in found]),
        _Column("role", [_role(one) for one in found]),
        _Column("model group", [Text(harmless(one.model_group)) for one in found]),
        _Column("deployment", [Text(harmless(one.deployment)) for one in found], least_width=140),
        _Column("outcome", [_outcome(one) for one in found]),
        _Column("latency", [span(seconds(one.latency)) for one in found], is_figure=True),
        _Column("first token", [_first_token(one) for one in found], is_figure=True),
        _Column("tokens", [_tokens(one) for one in found], is_figure=True),
        _Column("cost", [cost(one) for one in found], is_figure=True),
        _Column("pair", [Text(one.pair_id, "dim") for one in found]),
    ]
    shown = [one for one in columns if any(one.cells) and width >= one.least_width]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in shown:
        table.add_column(
            column.name,
            justify="right" if column.is_figure else "left",
            no_wrap=column.is_figure or column.name in ("time", "role"),
            overflow="fold",
        )
    for cells in zip(*(one.cells for one in shown), strict=True):
        table.add_row(*cells)
    return table


def _first_token(record: record_pb2.Record) -> str:
    is_known = record.HasField("first_token_latency")
    return span(seconds(record.first_token_latency)) if is_known else ""


def _tokens(record: record_pb2.Record) -> str:
    return str(record.usage.total_tokens) if record.HasField("usage") else ""


def _role(record: record_pb2.Record) -> Text:
    name = record_pb2.Record.Role.Name(record.role).removeprefix("ROLE_").lower()
    return Text(name, "cyan" if record.is_silent_experiment else "")


def _outcome(record: record_pb2.Record) -> Text:
    told, style = _OUTCOMES.get(record.status_code, (record.reason, "red"))
    return Text(harmless(told), style)

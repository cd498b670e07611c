"""`understudy records`: the upstream calls of a running service, newest first."""

import json
from collections.abc import Iterator

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
    console.print(_table(found))


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


def _table(found: list[record_pb2.Record]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("time", "role", "model group", "deployment"):
        table.add_column(name, overflow="fold")
    table.add_column("outcome", overflow="fold")
    for name in ("latency", "first token", "tokens"):
        table.add_column(name, justify="right", no_wrap=True)
    has_costs = any(cost(one) for one in found)
    if has_costs:
        table.add_column("cost", justify="right", no_wrap=True)
    table.add_column("pair", style="dim", overflow="fold", min_width=12)
    for one in found:
        first = seconds(one.first_token_latency)
        table.add_row(
            instant(one.start_time),
            _role(one),
            harmless(one.model_group),
            harmless(one.deployment),
            _outcome(one),
            span(seconds(one.latency)),
            span(first) if one.HasField("first_token_latency") else "",
            str(one.usage.total_tokens) if one.HasField("usage") else "",
            *([cost(one)] if has_costs else []),
            one.pair_id,
        )
    return table


def _role(record: record_pb2.Record) -> Text:
    name = record_pb2.Record.Role.Name(record.role).removeprefix("ROLE_").lower()
    return Text(name, "cyan" if record.is_silent_experiment else "")


def _outcome(record: record_pb2.Record) -> Text:
    told, style = _OUTCOMES.get(record.status_code, (record.reason, "red"))
    return Text(harmless(told), style)

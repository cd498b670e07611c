"""`understudy pairs`: what the primary and the silent models answered, side by side."""

import json
from collections.abc import Iterator

import click
from google.protobuf import json_format
from rich.box import ROUNDED
from rich.console import Console, Group
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from understudy.client import Client
from understudy.server.cli.calling import TIMEOUT, calling, target_option
from understudy.server.cli.differences import mark_differences
from understudy.server.cli.showing import (
    answers,
    cost,
    harmless,
    instant,
    quoted,
    seconds,
    since_filter,
    span,
    words,
)
from understudy.v1 import record_pb2, record_pb2_grpc

LARGEST_PAGE = 1000
LONGEST_PROMPT = 400  # characters, in a list

_OUTCOME_STYLES = {"PAIRED": "green", "UNPAIRED": "yellow", "UNDER WAY": "cyan"}
_UNSPECIFIED = record_pb2.SilentSide.OUTCOME_UNSPECIFIED


@click.command()
@target_option
@click.argument("pair_id", required=False)
@click.option("--silent", help="Those of this silent model.")
@click.option(
    "--worst",
    type=click.Choice(["latency", "cost", "length"]),
    help="First those where the silent model took longest, cost most or said most in comparison.",
)
@click.option("--since", help="Not older than this, such as 30m, 1h or 7d.")
@click.option("--filter", "-f", "text", default="", help="Such as: outcome = FAILED")
@click.option("--limit", "-n", type=click.IntRange(1), default=5, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print everything, a line of JSON each.")
def pairs(
    pair_id: str | None,
    *,
    target: str | None,
    silent: str | None,
    worst: str | None,
    since: str | None,
    text: str,
    limit: int,
    as_json: bool,
) -> None:
    """Show requests that were played to silent models, newest first; or the one with PAIR_ID."""
    terms = [f"({text})"] if text.strip() else []
    terms += [f"silent_model = {quoted(silent)}"] if silent else []
    terms += [since_filter(since)] if since else []
    request = record_pb2.ListPairsRequest(
        filter=" AND ".join(terms), order_by=f"{worst}_difference desc" if worst else ""
    )
    with calling(target) as service:
        found = [_get(service, pair_id)] if pair_id else list(_fetch(service, request, limit))
    if as_json:
        for one in found:
            click.echo(json.dumps(json_format.MessageToDict(one), ensure_ascii=False))
        return
    console = Console()
    if not found:
        console.print(_why_none(worst, bool(terms)), style="dim")
    for one in found:
        console.print(_show(one, styled=console.color_system is not None, whole=bool(pair_id)))


def _get(service: Client, pair_id: str) -> record_pb2.Pair:
    request = record_pb2.GetPairRequest(name=f"pairs/{pair_id.removeprefix('pairs/')}")
    stub = service.raw_stub(record_pb2_grpc.RecordServiceStub)
    return stub.GetPair(request, timeout=TIMEOUT, metadata=service.raw_metadata).pair


def _fetch(
    service: Client, request: record_pb2.ListPairsRequest, limit: int
) -> Iterator[record_pb2.Pair]:
    stub = service.raw_stub(record_pb2_grpc.RecordServiceStub)
    while limit > 0:
        request.page_size = min(limit, LARGEST_PAGE)
        page = stub.ListPairs(request, timeout=TIMEOUT, metadata=service.raw_metadata)
        yield from page.pairs
        limit -= len(page.pairs)
        request.page_token = page.next_page_token
        if not request.page_token:
            return


def _why_none(worst: str | None, is_narrowed: bool) -> str:
    if worst == "cost":
        return "No pair has a known cost on both sides."
    if worst or is_narrowed:
        return "No pairs match."
    return "No pairs yet: no request was played to a silent model."


def _show(pair: record_pb2.Pair, *, styled: bool, whole: bool) -> Group:
    served = pair.primary[-1] if pair.primary else None
    parts: list[Rule | Text | Table] = [Rule(_title(pair, served), align="left", style="dim")]
    if served is not None and (prompt := _prompt(served, whole=whole)):
        parts.append(prompt)
    for attempt in pair.primary[:-1]:
        parts.append(Text(f"tried before: {_told(attempt)}", "yellow"))
    if not pair.silents:
        parts.append(_columns(served, None, styled=styled))
    for side in pair.silents:
        parts.append(_columns(served, side, styled=styled))
        if side.HasField("comparison"):
            parts.append(_compare(side.comparison))
    parts.append(Text())
    return Group(*parts)


def _title(pair: record_pb2.Pair, served: record_pb2.Record | None) -> Text:
    title = Text(pair.name.removeprefix("pairs/"), "bold")
    if served is not None:
        title.append(f"  {instant(served.start_time)}", "not bold")
        if served.caller:
            title.append(f"  {harmless(served.caller)}", "not bold")
    return title


def _prompt(record: record_pb2.Record, *, whole: bool) -> Text:
    prompt = Text()
    for message in record.messages if whole else record.messages[-1:]:
        said = words(message)
        if not whole and len(said) > LONGEST_PROMPT:
            said = f"{said[:LONGEST_PROMPT]} …"
        prompt.append(f"{harmless(message.role)}: ", "dim")
        prompt.append(f"{said}\n")
    prompt.rstrip()
    return prompt


def _columns(
    served: record_pb2.Record | None, side: record_pb2.SilentSide | None, *, styled: bool
) -> Table:
    """Return primary and silent model in two columns of the same width."""
    silent = side.record if side is not None and side.HasField("record") else None
    left, right = Text(), Text()
    if served is not None and silent is not None and served.choices and silent.choices:
        left, right = mark_differences(answers(served), answers(silent), styled=styled)
    else:
        left, right = _said(served), _said(silent)
    table = Table(box=ROUNDED, expand=True, show_lines=True, border_style="dim")
    table.add_column(_heading(served, "primary"), ratio=1, overflow="fold")
    if side is None:
        table.add_row(left)
        table.add_row(_figures(served, None))
        return table
    table.add_column(_silent_heading(side), ratio=1, overflow="fold")
    table.add_row(left, right)
    table.add_row(_figures(served, None), _figures(silent, served))
    return table


def _said(record: record_pb2.Record | None) -> Text:
    if record is None:
        return Text("nothing was sent", "dim italic")
    if record.choices:
        return Text(answers(record))
    if record.text_absent_cause:
        return Text(record.text_absent_cause, "dim italic")
    return Text("no answer", "dim italic")


def _heading(record: record_pb2.Record | None, role: str) -> Text:
    if record is None:
        return Text(f"{role}, not recorded", "dim")
    return Text.assemble(
        (harmless(record.model_group), "bold"), (f"  {role}, {harmless(record.deployment)}", "dim")
    )


def _silent_heading(side: record_pb2.SilentSide) -> Text:
    outcome = "UNDER WAY"
    if side.outcome != _UNSPECIFIED:
        outcome = record_pb2.SilentSide.Outcome.Name(side.outcome).removeprefix("OUTCOME_")
    heading = Text(harmless(side.silent_model), "bold")
    heading.append("  silent, ", "not bold dim")
    heading.append(outcome, _OUTCOME_STYLES.get(outcome, "red"))
    if side.reason:
        heading.append(f" {harmless(side.reason)}", "not bold")
    return heading


def _figures(record: record_pb2.Record | None, other: record_pb2.Record | None) -> Text:
    """Return what a call took; beside another one, also how much more or less than that."""
    if record is None:
        return Text()
    took = seconds(record.latency)
    line = Text()
    if record.reason:
        line.append(f"{_told(record)}\n", "red")
    line.append(span(took))
    if other is not None and not record.reason and not other.reason:
        more = took - seconds(other.latency)
        line.append(
            f" ({'+' if more >= 0 else '-'}{span(abs(more))})", "red" if more > 0 else "green"
        )
    if record.HasField("first_token_latency"):
        line.append(f" · first token {span(seconds(record.first_token_latency))}")
    if record.HasField("usage"):
        line.append(f" · {record.usage.prompt_tokens}+{record.usage.completion_tokens} tokens")
    if cost(record):
        line.append(f" · {cost(record)}")
    if record.finish_reason:
        line.append(f" · {harmless(record.finish_reason)}")
    for warning in record.warnings:
        line.append(f"\n{harmless(warning.message)}", "yellow")
    for said in record.feedback:
        line.append(_judge(said), "cyan")
    return line


def _told(record: record_pb2.Record) -> str:
    status = f" (HTTP {record.upstream_status})" if record.upstream_status else ""
    return f"{harmless(record.deployment)} {record.reason}{status}"


def _judge(said: record_pb2.Feedback) -> str:
    opinion = {"boolean": "yes" if said.boolean else "no", "number": f"{said.number:g}"}
    told = opinion.get(said.WhichOneof("value") or "", said.text or "(words)")
    return f"\n{harmless(said.metric)}: {harmless(told)}, says {harmless(said.actor) or 'somebody'}"


def _compare(comparison: record_pb2.Comparison) -> Text:
    if comparison.equal:
        same = "equal"
    elif comparison.normalized_equal:
        same = "equal but for case, white space and punctuation"
    else:
        same = "different"
    told = [same]
    if comparison.HasField("similarity"):
        told.append(f"similarity {comparison.similarity:.2f}")
    more = comparison.silent_length - comparison.primary_length
    told.append(f"{comparison.primary_length} → {comparison.silent_length} characters ({more:+})")
    for name, value in (
        ("both JSON", "both_json"),
        ("same calls of functions", "same_tool_calls"),
        ("primary fits the schema", "primary_schema_valid"),
        ("silent fits the schema", "silent_schema_valid"),
    ):
        if comparison.HasField(value):  # type: ignore[arg-type]
            told.append(f"{name}: {'yes' if getattr(comparison, value) else 'no'}")
    return Text(" · ".join(told), "dim")

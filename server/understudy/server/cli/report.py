"""`understudy report`: what records and pairs say about a silent model, or an experiment."""

import json
import shlex
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Final

import click
from click.core import ParameterSource
from google.protobuf import json_format
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from understudy.client import Client
from understudy.server.cli.calling import TIMEOUT, calling, target_option
from understudy.server.cli.experiment_calls import Calls
from understudy.server.cli.report_text import show
from understudy.server.cli.showing import harmless
from understudy.server.cli.spans import read_instant
from understudy.server.readout.markdown import write_markdown
from understudy.server.readout.page import write_page
from understudy.server.readout.sheet import Sheet, arrange
from understudy.server.servicers.read_report import read_report
from understudy.v1 import operations_pb2, operations_pb2_grpc, record_pb2, record_pb2_grpc

LONGEST: Final = 900.0  # seconds; the service itself gives up before
_EXPERIMENTS: Final = "experiments/"
_SILENT_MODELS: Final = "silentModels/"
_LATEST: Final = 100  # pairs that are looked through for silent models
_SOON: Final = 0.5  # seconds, within which no bar is worth its flicker


@click.command()
@target_option
@click.argument("parent", required=False)
@click.option("--by", default="", help="Break it down: variant, caller, or metadata.KEY.")
@click.option("--since", help="Not older than this, such as 7d or 2026-09-01.  [default: all]")
@click.option("--until", help="Not newer than this, such as 1h or 2026-09-02.  [default: now]")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["text", "md", "html", "json"]),
    default="text",
    show_default=True,
    help="md fits a pull request, html is a page of its own.",
)
def report(
    parent: str | None,
    *,
    target: str | None,
    by: str,
    since: str | None,
    until: str | None,
    kind: str,
) -> None:
    """Compare a silent model with its primary, or an experiment's variants with its control.

    PARENT is silentModels/NAME or experiments/ID; without it, what there is to report on is listed.
    """
    request = record_pb2.GetReportRequest(group_by=by)
    now = datetime.now(UTC)
    if since:
        request.start_time.FromDatetime(read_instant(since, "--since", now))
    if until:
        request.end_time.FromDatetime(read_instant(until, "--until", now))
    with calling(target) as service:
        if parent is None:
            _list(service, target)
            return
        request.parent = _find(service, parent)
        found = _compute(service, request)
    if kind == "json":
        click.echo(json.dumps(json_format.MessageToDict(found), indent=2, ensure_ascii=False))
        return
    sheet = _arrange(found)
    if kind == "md":
        click.echo(write_markdown(sheet), nl=False)
    elif kind == "html":
        click.echo(write_page(sheet), nl=False)
    else:
        show(sheet, Console(highlight=False))


def _compute(service: Client, request: record_pb2.GetReportRequest) -> record_pb2.Report:
    stub = service.raw_stub(record_pb2_grpc.RecordServiceStub)
    begun = time.monotonic()
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("computing"), BarColumn(), TaskProgressColumn(), console=console, transient=True
    )
    task = bar.add_task("computing", total=1.0)
    found = record_pb2.Report()
    with ExitStack() as shown:
        is_shown = not console.is_terminal  # where nobody looks, there is nothing to show
        for update in stub.GetReport(request, timeout=LONGEST, metadata=service.raw_metadata):
            if update.HasField("report"):
                found = update.report
                continue
            if not is_shown and time.monotonic() > begun + _SOON:
                is_shown = bool(shown.enter_context(bar))
            bar.update(task, completed=update.progress)
    return found


def _arrange(found: record_pb2.Report) -> Sheet:
    meanings = {one.metric: one.meaning for section in found.sections for one in section.estimates}
    return arrange(read_report(found), lambda metric: meanings.get(metric, ""))


def _find(service: Client, name: str) -> str:
    """Return the parent that somebody means: a bare name is an experiment's, else a model's."""
    if name.startswith((_EXPERIMENTS, _SILENT_MODELS)):
        return name
    if any(one.name == _EXPERIMENTS + name for one in Calls(service).list()):
        return _EXPERIMENTS + name
    return _SILENT_MODELS + name


def _list(service: Client, target: str | None) -> None:
    parents = list(dict.fromkeys(_find_all(service)))
    if not parents:
        click.echo(
            "Nothing to report on yet: no experiment, and no request was played to a silent model."
        )
        return
    source = click.get_current_context().get_parameter_source("target")
    is_typed = target is not None and source is ParameterSource.COMMANDLINE
    tail = f" --target {shlex.quote(target)}" if target and is_typed else ""
    click.echo("There is a report on each of these:")
    for one in parents:
        click.echo(f"  understudy report {shlex.quote(harmless(one))}{tail}")


def _find_all(service: Client) -> Iterator[str]:
    experiments = list(Calls(service).list())
    yield from (one.name for one in experiments)
    for one in experiments:
        yield from (f"{_SILENT_MODELS}{mirror.model_group}" for mirror in one.mirror)
    metadata = service.raw_metadata
    operations = service.raw_stub(operations_pb2_grpc.OperationsServiceStub)
    request = operations_pb2.GetStatusRequest()
    status = operations.GetStatus(request, timeout=TIMEOUT, metadata=metadata)
    yield from (f"{_SILENT_MODELS}{one.silent_model}" for one in status.mirror.silent_models)
    # Those that were heard before the service last started.
    records = service.raw_stub(record_pb2_grpc.RecordServiceStub)
    latest = record_pb2.ListPairsRequest(page_size=_LATEST)
    for pair in records.ListPairs(latest, timeout=TIMEOUT, metadata=metadata).pairs:
        yield from (f"{_SILENT_MODELS}{one.silent_model}" for one in pair.silents)

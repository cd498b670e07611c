"""`understudy status` and `understudy mirror`: how a running service is, and its brake."""

import json

import click
from google.protobuf import json_format
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from understudy.client import Client
from understudy.server.cli.calling import TIMEOUT, calling, target_option
from understudy.server.cli.showing import harmless, money
from understudy.v1 import operations_pb2, operations_pb2_grpc

# In the order in which a ledger is read; `offered` is their sum and what is under way.
OUTCOMES = ("PAIRED", "UNPAIRED", "FAILED", "TIMED_OUT", "SHED", "CANCELLED", "LOST")


@click.command()
@target_option
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def status(*, target: str | None, as_json: bool) -> None:
    """Show deployments, the mirror's queue, and what became of each silent model's copies."""
    with calling(target) as service:
        told = _stub(service).GetStatus(
            operations_pb2.GetStatusRequest(),
            timeout=TIMEOUT,
            metadata=service.raw_metadata,
        )
    if as_json:
        click.echo(json.dumps(json_format.MessageToDict(told), indent=2, ensure_ascii=False))
        return
    console = Console()
    since = told.start_time.ToDatetime().strftime("%Y-%m-%d %H:%M:%S UTC")
    console.print(
        f"understudy {told.version}, up since {since}, revision {told.config_revision}, "
        f"{told.in_flight} in flight",
        soft_wrap=True,
        highlight=False,
    )
    if told.config_error:
        read = told.config_time.ToDatetime().strftime("%Y-%m-%d %H:%M:%S UTC")
        console.print(
            f"the configuration file could not be read again; what was read {read} is in use:",
            style="bold red",
            soft_wrap=True,
            highlight=False,
        )
        for fault in told.config_error.splitlines():
            console.print(f"  {harmless(fault)}", markup=False, soft_wrap=True, highlight=False)
    console.print()
    console.print(_deployments(told))
    console.print()
    _show_mirror(console, told.mirror)
    if told.sinks:
        console.print()
    for sink in told.sinks:
        console.print(_sink(sink), highlight=False, markup=False, soft_wrap=True)


@click.group()
def mirror() -> None:
    """Stop or resume playing prompts to silent models."""


@mirror.command()
@click.argument("name", required=False, default="")
@click.option("--cause", default="", help="Why, for the log.")
@target_option
def pause(name: str, *, cause: str, target: str | None) -> None:
    """Stop mirroring to the silent model NAME, or to all: at once, also after restarts."""
    with calling(target) as service:
        told = _stub(service).PauseMirroring(
            operations_pb2.PauseMirroringRequest(silent_model=name, cause=cause),
            timeout=TIMEOUT,
            metadata=service.raw_metadata,
        )
    _show_mirror(Console(), told.mirror)


@mirror.command()
@click.argument("name", required=False, default="")
@click.option("--cause", default="", help="Why, for the log.")
@target_option
def resume(name: str, *, cause: str, target: str | None) -> None:
    """Go on with mirroring to the silent model NAME, or to all."""
    with calling(target) as service:
        told = _stub(service).ResumeMirroring(
            operations_pb2.ResumeMirroringRequest(silent_model=name, cause=cause),
            timeout=TIMEOUT,
            metadata=service.raw_metadata,
        )
    _show_mirror(Console(), told.mirror)


def _stub(service: Client) -> operations_pb2_grpc.OperationsServiceStub:
    return service.raw_stub(operations_pb2_grpc.OperationsServiceStub)


def _deployments(told: operations_pb2.GetStatusResponse) -> Table:
    table = Table("group", "share", "model", "state", "in flight", box=None, pad_edge=False)
    for one in told.deployments:
        table.add_row(
            escape(one.model_group),
            f"{one.share:.0%}",
            escape(f"{one.provider}/{one.model}"),
            escape(_state(one)),
            str(one.in_flight),
        )
    return table


def _sink(one: operations_pb2.SinkStatus) -> str:
    told = f"{harmless(one.sink)}: {one.sent} sent, {one.waiting} waiting"
    if lag := one.lag.ToSeconds():
        told += f" for {lag} s"
    if one.dropped:
        told += f", {one.dropped} dropped"
    return f"{told}; {harmless(one.away_cause)}" if one.away_cause else told


def _state(one: operations_pb2.DeploymentStatus) -> str:
    name = operations_pb2.DeploymentStatus.State.Name(one.state).removeprefix("STATE_")
    told = name.lower().replace("_", " ")
    if one.HasField("open_time"):
        told += f" since {one.open_time.ToDatetime():%H:%M:%S} UTC"
    if one.HasField("trial_time"):
        told += f", tried again at {one.trial_time.ToDatetime():%H:%M:%S}"
    return f"{told}: {one.reason}" if one.reason else told


def _show_mirror(console: Console, told: operations_pb2.MirrorStatus) -> None:
    paused = "; all mirroring is paused" if told.paused else ""
    console.print(
        f"mirror: {told.in_flight} copies in flight, {told.queued} queued "
        f"({told.queued_bytes} bytes){paused}",
        highlight=False,
    )
    if not told.silent_models:
        console.print("no silent model has been offered anything yet", highlight=False)
        return
    for one in told.silent_models:
        state = operations_pb2.DeploymentStatus.State.Name(one.state).removeprefix("STATE_")
        console.print(
            f"\n[bold]{escape(one.silent_model)}[/bold]: "
            f"{'paused' if one.paused else state.lower()}, "
            f"{one.effective_fraction:.0%} of prompts, {one.in_flight} in flight",
            highlight=False,
        )
        console.print(f"  {_ledger(one)}", highlight=False, markup=False)
        if told_of := _spending(one):
            console.print(f"  {told_of}", highlight=False, markup=False, soft_wrap=True)
        for what, counts in (("shed", one.shed), ("not mirrored", one.not_mirrored)):
            if counts:
                console.print(f"  {what}: {_reasons(dict(counts))}", highlight=False, markup=False)


def _ledger(one: operations_pb2.SilentModelStatus) -> str:
    """Return the ledger as the sum that it is; what is 0 is left out, `paired` apart."""
    ended = sum(one.outcomes.values())
    terms = [
        f"{one.outcomes.get(outcome, 0)} {outcome.lower().replace('_', ' ')}"
        for outcome in OUTCOMES
        if outcome == "PAIRED" or one.outcomes.get(outcome)
    ]
    if one.offered > ended:
        terms.append(f"{one.offered - ended} under way")
    return f"{one.offered} offered = {' + '.join(terms)}"


def _spending(one: operations_pb2.SilentModelStatus) -> str:
    """Return what of its budget is spent, empty where it has none or costs nothing."""
    if not one.HasField("cap_nano_usd") or not (one.spent_nano_usd or one.leased_nano_usd):
        return ""
    window = _length(one.cap_window.ToTimedelta().total_seconds())
    whose = "all that share the store" if one.HasField("spent_time") else "this service"
    told = (
        f"budget: {money(one.spent_nano_usd)} of {money(one.cap_nano_usd)} in {window} "
        f"spent by {whose}"
    )
    parts = (
        (one.lost_nano_usd, "held by processes that died"),
        (one.overshoot_nano_usd, "more than had been reserved"),
    )
    apart = ", ".join(f"{money(sum_)} {what}" for sum_, what in parts if sum_)
    if apart:
        told += f" ({apart})"
    if one.leased_nano_usd:
        told += f"; {money(one.leased_nano_usd)} set aside to be spent next"
    return told


def _length(seconds: float) -> str:
    """Return a length of time as a configuration has it."""
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0 and (unit != "d" or seconds > size):
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def _reasons(counts: dict[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items())) or "-"

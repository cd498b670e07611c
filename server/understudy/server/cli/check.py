"""`understudy check`: what a configuration file comes to, before anything is served."""

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from understudy.server.cli.faults import ending_on_faults
from understudy.server.config import Config, DeploymentReport, Report, Standing, load, refusals
from understudy.server.config.reminders import remind
from understudy.server.engine import trusted, upstreams
from understudy.server.listening import read_pems
from understudy.server.probing import Probe, probe
from understudy.server.providers import dialect
from understudy.server.upstream.egress import TlsContexts

PATIENCE = 30.0  # seconds for one probe
AT_ONCE = 8  # probes under way


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--strict", is_flag=True, help="Fail if a key is ignored or a deployment unusable.")
@click.option("--probe", "probing", is_flag=True, help="Ask each deployment for one token.")
def check(path: Path, *, strict: bool, probing: bool) -> None:
    """Say what becomes of every key of FILE, who can be asked, and which hosts are contacted.

    Exits with 1 if `serve` would refuse the file, or if a probe fails.
    """
    with ending_on_faults():
        config = load(path, os.environ)
        tls = trusted(config)
        read_pems(config.settings.server.tls)
    console = Console(width=None if sys.stdout.isatty() else 120)
    probes = asyncio.run(_probe_all(config, tls)) if probing else {}
    _show_keys(console, config.report)
    _show_deployments(console, config.report, probes)
    _show_prices(console, config.report)
    _show_seeds(console, config)
    for note in config.report.notes:
        console.print(f"note: {note}", markup=False, highlight=False)
    for told in remind(config.report, time.time()):
        console.print(f"warning: {told}", markup=False, highlight=False)
    refused = refusals(config)
    for one in refused:
        click.echo(f"serve refuses: {one}", err=True)
    failed = [one for one in probes.values() if not one.ok]
    if refused or failed or (strict and _is_imperfect(config.report)):
        sys.exit(1)


def _is_imperfect(report: Report) -> bool:
    return any(one.standing is not Standing.HONOURED for one in report.keys) or any(
        not one.usable for one in report.deployments
    )


def _show_keys(console: Console, report: Report) -> None:
    honoured = [one.name for one in report.keys if one.standing is Standing.HONOURED]
    console.print(f"honoured: {', '.join(honoured) or 'nothing'}", markup=False, highlight=False)
    rest = [one for one in report.keys if one.standing is not Standing.HONOURED]
    if not rest:
        return
    table = Table("key", "what becomes of it", "why", "where", box=None, pad_edge=False)
    for one in rest:
        accepted = " (accepted)" if one.accepted else ""
        style = "bold" if one.standing is Standing.MISSED and not one.accepted else ""
        table.add_row(
            _plain(one.name),
            _plain(f"{one.standing}{accepted}"),
            _plain(one.why),
            _plain(", ".join(one.places[:3]) + (" …" if len(one.places) > 3 else "")),
            style=style,
        )
    console.print()
    console.print(table)


def _show_deployments(console: Console, report: Report, probes: Mapping[str, Probe]) -> None:
    table = Table("group", "share", "model", "host", "key", "state", box=None, pad_edge=False)
    for one in report.deployments:
        order = f" of order {one.order}" if one.order is not None else ""
        table.add_row(
            _plain(one.group),
            f"{one.share:.1%}{order}",
            _plain(f"{one.provider}/{one.model}"),
            _plain(one.host or "-"),
            _plain(one.key or "-"),
            _plain(_state(one, probes.get(one.id))),
        )
    console.print()
    console.print(table)
    console.print()
    hosts = ", ".join(report.hosts) or "none"
    console.print(f"hosts that will be contacted: {hosts}", markup=False, highlight=False)


def _show_prices(console: Console, report: Report) -> None:
    table = Table("group", "model", "price", box=None, pad_edge=False)
    for one in report.deployments:
        if one.price:
            model = f"{one.provider}/{one.model}"
            table.add_row(_plain(one.group), _plain(model), _plain(one.price))
    if table.row_count:
        console.print()
        console.print(table)


def _show_seeds(console: Console, config: Config) -> None:
    for one in config.seeds:
        experiment = one.experiment
        split = " · ".join(f"{arm.id} {arm.weight / 100:g} %" for arm in experiment.variants)
        where = f", takes over {experiment.model_group}" if experiment.model_group else ""
        told = f"seed {experiment.id}: {one.state or 'draft'}, {split}{where}"
        console.print(told, markup=False, highlight=False)


def _state(one: DeploymentReport, probed: Probe | None) -> str:
    if not one.usable:
        return f"unusable: {one.unusable}"
    told = "usable" if probed is None else probed.told
    return f"{told}; {one.note}" if one.note else told


def _plain(text: str) -> str:
    """Take the meaning out of brackets: the text is the file's, not ours."""
    return text.replace("[", "\\[")


async def _probe_all(config: Config, tls: TlsContexts) -> dict[str, Probe]:
    keys = {one.id: one.key for one in config.report.deployments}
    asked = [
        one
        for group in config.snapshot.groups.values()
        for one in group.deployments
        if not one.unusable
    ]
    seats = asyncio.Semaphore(AT_ONCE)
    clock = asyncio.get_running_loop().time
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(upstreams(config.settings.egress, tls=tls))

        async def ask(index: int) -> Probe:
            async with seats:
                one = asked[index]
                click.echo(f"probing {one.group}: {one.provider}/{one.model} …", err=True)
                return await probe(
                    one,
                    keys[one.id],
                    dialect=dialect,
                    upstream=upstream,
                    clock=clock,
                    timeout=PATIENCE,
                )

        found = await asyncio.gather(*(ask(index) for index in range(len(asked))))
    return {one.deployment: one for one in found}

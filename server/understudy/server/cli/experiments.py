"""`understudy experiments`: look at experiments and change them while they serve."""

import json
from contextlib import suppress

import click
from google.protobuf import json_format
from google.protobuf.field_mask_pb2 import FieldMask
from msgspec import structs
from rich.console import Console

from understudy.server.cli import experiment_showing as showing
from understudy.server.cli.calling import calling, target_option
from understudy.server.cli.experiment_applying import apply
from understudy.server.cli.experiment_calls import Calls
from understudy.server.cli.experiment_weights import draft_split, read_points, read_weights
from understudy.server.cli.showing import harmless, instant, quoted
from understudy.server.servicers.read_experiment import PREFIX
from understudy.server.servicers.write_experiment import write_experiment
from understudy.v1 import experiment_pb2 as pb

json_option = click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")


@click.group()
def experiments() -> None:
    """Change models, prompts and splits while they serve."""


experiments.add_command(apply)


@experiments.command(name="list")
@target_option
@click.option("--filter", "-f", "text", default="", help="Such as: state = RUNNING")
@json_option
def list_experiments(*, target: str | None, text: str, as_json: bool) -> None:
    """Show all experiments."""
    with calling(target) as service:
        found = list(Calls(service).list(text))
    if as_json:
        for one in found:
            click.echo(_json(one))
    elif found:
        Console().print(showing.table(found))
    else:
        Console().print(
            "No experiments yet. `understudy experiments create --help` says how to make one."
            if not text
            else "No experiments match."
        )


@experiments.command()
@click.argument("experiment_id")
@target_option
@json_option
@click.option("--yaml", "as_yaml", is_flag=True, help="Print what `apply` reads.")
def show(experiment_id: str, *, target: str | None, as_json: bool, as_yaml: bool) -> None:
    """Show one experiment, with its epochs."""
    with calling(target) as service:
        found = Calls(service).get(experiment_id)
    if as_json:
        click.echo(_json(found))
    else:
        click.echo(showing.written(found).rstrip() if as_yaml else showing.details(found))


@experiments.command()
@click.argument("experiment_id")
@click.argument("weights", nargs=-1, required=True, metavar="GROUP=WEIGHT...")
@click.option("--model-group", default="", help="Take over this group's callers.")
@click.option("--control", default="", help="[default: the heaviest]")
@click.option("--title", default="")
@click.option("--start", "is_started", is_flag=True, help="Start it at once.")
@target_option
def create(
    experiment_id: str,
    weights: tuple[str, ...],
    *,
    model_group: str,
    control: str,
    title: str,
    is_started: bool,
    target: str | None,
) -> None:
    """Create a draft: each variant is a model group with its relative weight.

    For variants with prompts and parameters of their own, write a file and `apply` it.
    """
    draft = structs.replace(
        draft_split(experiment_id, read_weights(weights), control),
        title=title,
        model_group=model_group,
    )
    with calling(target) as service:
        calls = Calls(service)
        created = calls.create(write_experiment(draft), experiment_id)
        if is_started:
            created = calls.start(created)
    click.echo(showing.details(created))
    if not is_started:
        click.echo(f"\nstart it: understudy experiments start {experiment_id}")


@experiments.command(name="set-weights")
@click.argument("experiment_id")
@click.argument("weights", nargs=-1, required=True, metavar="VARIANT=WEIGHT...")
@target_option
def set_weights(experiment_id: str, weights: tuple[str, ...], *, target: str | None) -> None:
    """Change the split. Weights are relative: `a=1 b=1` is 50/50. Name every variant."""
    given = read_weights(weights)
    with calling(target) as service:
        calls = Calls(service)
        current = calls.get(experiment_id)
        before = showing.weights(current)
        points = read_points(current, given)
        for one in current.variants:
            one.weight = points[one.id]
        told = calls.update(current, FieldMask(paths=["variants"]))
    changed = told.experiment
    click.echo(harmless(f"{before}  →  {showing.weights(changed)}"))
    if changed.state in (pb.Experiment.STATE_RUNNING, pb.Experiment.STATE_PAUSED):
        click.echo(f"{showing.percent(told.moved)} of keys have another variant now")
    else:
        click.echo(f"it is {showing.state(changed).plain}: the weights count once it is started")


@experiments.command()
@click.argument("experiment_id")
@target_option
def start(experiment_id: str, *, target: str | None) -> None:
    """Start a draft, or a new run of one that ended."""
    with calling(target) as service:
        calls = Calls(service)
        _tell(calls.start(calls.get(experiment_id)))


@experiments.command()
@click.argument("experiment_id")
@target_option
def pause(experiment_id: str, *, target: str | None) -> None:
    """Hold the split as it is; nothing is compared meanwhile."""
    with calling(target) as service:
        calls = Calls(service)
        _tell(calls.pause(calls.get(experiment_id)))


@experiments.command()
@click.argument("experiment_id")
@target_option
def resume(experiment_id: str, *, target: str | None) -> None:
    """Go on with a paused experiment."""
    with calling(target) as service:
        calls = Calls(service)
        _tell(calls.resume(calls.get(experiment_id)))


@experiments.command()
@click.argument("experiment_id")
@click.option("--cause", default="", help="Why, for the audit trail.")
@target_option
def rollback(experiment_id: str, *, cause: str, target: str | None) -> None:
    """Give all traffic to the control, now."""
    with calling(target) as service:
        _tell(Calls(service).rollback(experiment_id, cause))


@experiments.command()
@click.argument("experiment_id")
@click.argument("winner")
@target_option
def conclude(experiment_id: str, winner: str, *, target: str | None) -> None:
    """Give all traffic to the variant WINNER, and print what makes that permanent."""
    with calling(target) as service:
        calls = Calls(service)
        told = calls.conclude(calls.get(experiment_id), winner)
    _tell(told.experiment, err=True)  # so that the rest can go into a file
    click.echo(harmless(told.config_yaml).rstrip())


@experiments.command()
@click.argument("experiment_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@target_option
def delete(experiment_id: str, *, yes: bool, target: str | None) -> None:
    """Delete an experiment that is not live. Its records and audit trail stay."""
    with calling(target) as service:
        calls = Calls(service)
        current = calls.get(experiment_id)
        if not yes:
            click.echo(showing.split(current))
            click.confirm(f"delete {experiment_id}?", abort=True)
        calls.delete(current)
    click.echo(f"{experiment_id} is deleted")


@experiments.command()
@click.option("--since", "revision", type=click.IntRange(0), default=0, help="A revision.")
@target_option
@json_option
def watch(*, revision: int, target: str | None, as_json: bool) -> None:
    """Follow changes as they are made, until interrupted."""
    # Whoever interrupts it is done.
    with suppress(KeyboardInterrupt), calling(target) as service:
        for told in Calls(service).watch(revision):
            if as_json:
                click.echo(_json(told))
            elif told.HasField("experiment"):
                one = told.experiment
                name = one.name.removeprefix(PREFIX)
                click.echo(
                    f"{one.revision:>6}  {harmless(name)}  {showing.state(one).plain}  "
                    f"{harmless(showing.split(one))}"
                )
            elif told.HasField("deleted"):
                click.echo(f"{told.revision:>6}  {harmless(told.deleted)}  deleted")


@experiments.command()
@click.argument("experiment_id", default="-")
@click.option("--limit", "-n", type=click.IntRange(1), default=20, show_default=True)
@click.option("--actor", default="", help="Only changes by this key.")
@target_option
@json_option
def audit(experiment_id: str, *, limit: int, actor: str, target: str | None, as_json: bool) -> None:
    """Show who changed what, newest first; of one experiment or of all."""
    text = f"actor = {quoted(actor)}" if actor else ""
    with calling(target) as service:
        found = list(Calls(service).audit(experiment_id, text, limit))
    if as_json:
        for entry in found:
            click.echo(_json(entry))
        return
    for entry in found:
        name = entry.name.removeprefix(PREFIX).partition("/")[0]
        cause = f": {entry.cause}" if entry.cause else ""
        click.echo(
            harmless(
                f"{instant(entry.create_time)}  {entry.revision:>6}  {name}  {entry.action} "
                f"by {entry.actor}{cause}"
            )
        )


def _tell(experiment: pb.Experiment, *, err: bool = False) -> None:
    name = experiment.name.removeprefix(PREFIX)
    told = f"{name} is {showing.state(experiment).plain}: {showing.split(experiment)}"
    click.echo(harmless(f"{told} (revision {experiment.revision})"), err=err)


def _json(message: pb.Experiment | pb.AuditEntry | pb.WatchExperimentsResponse) -> str:
    return json.dumps(json_format.MessageToDict(message), ensure_ascii=False)

"""`understudy experiments apply`: make experiments be as a file says."""

import sys
from collections.abc import Callable, Mapping
from typing import Final, TextIO

import click
import grpc
import yaml
from google.protobuf.field_mask_pb2 import FieldMask

from understudy.server.cli import experiment_showing as showing
from understudy.server.cli.calling import calling, target_option
from understudy.server.cli.experiment_calls import Calls
from understudy.server.cli.showing import harmless
from understudy.server.errors import RequestError
from understudy.server.experiments.documents import Document, read_document
from understudy.server.servicers.read_experiment import PREFIX
from understudy.server.servicers.write_experiment import write_experiment
from understudy.v1 import experiment_pb2 as pb

_FIELDS: Final = ("title", "model_group", "variants", "control", "assignment", "mirror")
_State = pb.Experiment


@click.command()
@click.option("--file", "-f", type=click.File(), required=True, help="YAML; - is the input.")
@click.option("--dry-run", is_flag=True, help="Check and show what would change; change nothing.")
@target_option
def apply(*, file: TextIO, dry_run: bool, target: str | None) -> None:
    """Create or change the experiments that a file describes, a YAML document each."""
    documents = _read(file)
    with calling(target) as service:
        calls = Calls(service)
        for document in documents:
            _apply(calls, document, dry_run=dry_run)


def _read(file: TextIO) -> list[Document]:
    try:
        return [read_document(one) for one in yaml.safe_load_all(file) if one is not None]
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        told = f"{file.name}{line}: {error.problem or 'this is no YAML'}"
    except (yaml.YAMLError, UnicodeDecodeError):
        told = f"{file.name}: this is no YAML"
    except RequestError as error:
        told = f"{file.name}: {error}"
    click.echo(harmless(f"understudy: {told}"), err=True)
    sys.exit(1)


def _apply(calls: Calls, document: Document, *, dry_run: bool) -> None:
    wanted = write_experiment(document.experiment)
    name = document.experiment.id
    try:
        current = calls.get(name)
    except grpc.RpcError as error:
        if not isinstance(error, grpc.Call) or error.code() is not grpc.StatusCode.NOT_FOUND:
            raise
        current = None
    if current is None:
        stored = calls.create(wanted, name, validate_only=dry_run)
        click.echo(f"{name}: {'would be created' if dry_run else 'created'}")
        if dry_run:
            click.echo(showing.difference(None, stored))
    else:
        stored = _update(calls, current, wanted, dry_run=dry_run)
    if document.state and document.state != _state(stored):
        if dry_run:
            click.echo(f"{name}: would become {document.state}")
        else:
            _bring_to(calls, stored, document.state)


def _update(
    calls: Calls, current: pb.Experiment, wanted: pb.Experiment, *, dry_run: bool
) -> pb.Experiment:
    name = current.name.removeprefix(PREFIX)
    differing = [one for one in _FIELDS if _written(current, one) != _written(wanted, one)]
    if not differing:
        click.echo(f"{name}: unchanged")
        return current
    wanted.name, wanted.etag = current.name, current.etag
    told = calls.update(wanted, FieldMask(paths=differing), validate_only=dry_run)
    would = "would change" if dry_run else "changed"
    click.echo(f"{name}: {would}; {showing.percent(told.moved)} of keys get another variant")
    click.echo(showing.difference(current, told.experiment))
    return told.experiment


def _written(experiment: pb.Experiment, field: str) -> object:
    return getattr(showing.read(experiment), field)


def _bring_to(calls: Calls, current: pb.Experiment, state: str) -> None:
    """Bring an experiment to the state that the file wants."""
    ways: Mapping[tuple[int, str], Callable[[pb.Experiment], pb.Experiment]] = {
        (_State.STATE_DRAFT, "running"): calls.start,
        (_State.STATE_ROLLED_BACK, "running"): calls.start,
        (_State.STATE_CONCLUDED, "running"): calls.start,
        (_State.STATE_PAUSED, "running"): calls.resume,
        (_State.STATE_RUNNING, "paused"): calls.pause,
        (_State.STATE_RUNNING, "rolled_back"): lambda one: _roll_back(calls, one),
        (_State.STATE_PAUSED, "rolled_back"): lambda one: _roll_back(calls, one),
    }
    name = current.name.removeprefix(PREFIX)
    way = ways.get((current.state, state))
    if way is None:
        told = f"{name} is {_state(current)} and cannot become {state}"
        click.echo(f"understudy: {told}", err=True)
        sys.exit(1)
    click.echo(f"{name}: {showing.state(way(current)).plain}")


def _state(experiment: pb.Experiment) -> str:
    """Return the state as a file names it."""
    return showing.state(experiment).plain.replace(" ", "_")


def _roll_back(calls: Calls, experiment: pb.Experiment) -> pb.Experiment:
    return calls.rollback(experiment.name.removeprefix(PREFIX), "applied from a file")

"""Writes experiments for a terminal: shares in per cent, instants in this machine's time zone."""

import difflib

from rich.table import Table
from rich.text import Text

from understudy.server.cli.showing import harmless, instant
from understudy.server.domain.experiments import SLOTS, Experiment
from understudy.server.experiments.documents import write_document
from understudy.server.experiments.writing import dump
from understudy.server.servicers.read_experiment import PREFIX, read_experiment
from understudy.v1 import experiment_pb2

_STYLES = {"RUNNING": "green", "PAUSED": "yellow", "ROLLED_BACK": "red", "CONCLUDED": "cyan"}


def read(wire: experiment_pb2.Experiment) -> Experiment:
    """Return a message as a value, with what callers may change."""
    return read_experiment(wire, wire.name.removeprefix(PREFIX))


def state(wire: experiment_pb2.Experiment) -> Text:
    """Return the state in its colour."""
    name = experiment_pb2.Experiment.State.Name(wire.state).removeprefix("STATE_")
    return Text(name.lower().replace("_", " "), style=_STYLES.get(name, ""))


def percent(weight: int) -> str:
    """Return basis points in per cent, without needless digits."""
    return f"{weight / (SLOTS / 100):g} %"


def split(wire: experiment_pb2.Experiment) -> str:
    """Return the split in one line; what serves all traffic is said instead where one does."""
    if wire.state == experiment_pb2.Experiment.STATE_ROLLED_BACK:
        return f"{wire.control} 100 % (control)"
    if wire.state == experiment_pb2.Experiment.STATE_CONCLUDED:
        return f"{wire.winner} 100 % (winner)"
    return weights(wire)


def weights(wire: experiment_pb2.Experiment) -> str:
    """Return the weights in one line, whether or not they serve now."""
    return " · ".join(f"{one.id} {percent(one.weight)}" for one in wire.variants)


def table(found: list[experiment_pb2.Experiment]) -> Table:
    """Return experiments, a line each."""
    shown = Table("experiment", "state", "takes over", "split", "changed", box=None, pad_edge=False)
    for one in found:
        shown.add_row(
            Text(one.name.removeprefix(PREFIX)),
            state(one),
            Text(one.model_group or "-"),
            Text(split(one)),
            instant(one.update_time),
        )
    return shown


def written(wire: experiment_pb2.Experiment) -> str:
    """Return an experiment as `apply` reads it."""
    return dump(write_document(read(wire)))


def details(wire: experiment_pb2.Experiment) -> str:
    """Return all that a person may want to know of an experiment."""
    lines = [
        f"{wire.name.removeprefix(PREFIX)}: {state(wire).plain}, revision {wire.revision}",
        f"  {split(wire)}",
    ]
    if wire.start_time.seconds:
        ended = f", ended {instant(wire.end_time)}" if wire.end_time.seconds else ""
        lines.append(f"  run started {instant(wire.start_time)}{ended}")
    lines += ["", written(wire).rstrip()]
    if wire.epochs:
        lines += ["", "epochs:"]
        lines += [
            f"  {one.number:>3}  revision {one.revision:<5} {instant(one.start_time)}  {one.cause}"
            for one in wire.epochs
        ]
    return harmless("\n".join(lines))


def difference(before: experiment_pb2.Experiment | None, after: experiment_pb2.Experiment) -> str:
    """Return what changes, as a diff of the two as people write them."""
    old = written(before).splitlines() if before is not None else []
    lines = difflib.unified_diff(old, written(after).splitlines(), "before", "after", lineterm="")
    return harmless("\n".join(lines))

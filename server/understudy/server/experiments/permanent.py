"""Writes what to put into the configuration file to make a winner permanent. Pure.

It can only be a draft for the operator's hand: keys and addresses are not repeated here, and a
file in LiteLLM's manner has no place for some of what a variant changes. What is missing is said
in comments.
"""

from collections.abc import Iterable, Mapping
from textwrap import indent

import msgspec

from understudy.server.domain.deployment import Deployment, ModelGroup
from understudy.server.domain.experiments import Experiment, Overrides, Variant
from understudy.server.experiments.writing import dump
from understudy.server.routing.overriding import PARAMS, TYPED, wanted_params


def to_yaml(experiment: Experiment, groups: Mapping[str, ModelGroup]) -> str:
    """Return the text for a concluded experiment. Raises ValueError if nothing has won."""
    if not experiment.winner:
        raise ValueError(f"experiment {experiment.id!r} has no winner")
    winner = experiment.variant(experiment.winner)
    changed = bool(wanted_params(winner.overrides))
    name = experiment.model_group or (experiment.id if changed else winner.model_group)
    parts = [_comment(_explain(experiment, name))]
    if name != winner.model_group or changed:
        group = groups.get(winner.model_group)
        if group is None:
            told = f"No entry of model_list is called {winner.model_group!r}: write its own here."
            parts.append(_comment([told]))
        else:
            parts.append("model_list:\n")
            parts += [_write_entry(name, one, winner.overrides) for one in group.deployments]
    if winner.overrides.system_prompt is not None:
        prompt = dump({"system_prompt": winner.overrides.system_prompt})
        parts.append(_comment(prompt.split("\n")[:-1]))
    return "".join(parts)


def _explain(experiment: Experiment, name: str) -> Iterable[str]:
    winner = experiment.variant(experiment.winner)
    yield f"Experiment {experiment.id!r}: variant {winner.id!r} won."
    yield "It serves until the experiment is deleted. To keep it without the experiment:"
    for number, step in enumerate(_steps(experiment, winner, name), 1):
        yield f"{number}. {step}"
    if wanted_params(winner.overrides):
        yield "In the experiment its parameters replace the caller's; in this file they are"
        yield "defaults, and a caller's own go first."


def _steps(experiment: Experiment, winner: Variant, name: str) -> Iterable[str]:
    needs_entries = name != winner.model_group or wanted_params(winner.overrides)
    if needs_entries and experiment.model_group:
        yield f"Put these entries in the place of those called {name!r}."
    elif needs_entries:
        yield f"Add these entries, and have callers ask for the model {name!r}."
    elif experiment.model_group:
        yield f"Leave the entries called {name!r} as they are: they are what won."
    else:
        yield f"Have callers ask for the model {name!r} rather than for the experiment."
    if needs_entries:
        yield f"Complete them from the entries called {winner.model_group!r}; keys are not told."
        yield "Reload the configuration."
    if winner.overrides.system_prompt is not None:
        yield "Have callers send the system prompt below: this file has no place for one."
    yield "Delete the experiment."


def _write_entry(name: str, deployment: Deployment, overrides: Overrides) -> str:
    params: dict[str, object] = {"model": f"{deployment.provider}/{deployment.model}"}
    for key in ("weight", "rpm", "tpm", "order"):
        if (value := getattr(deployment, key)) is not None:
            params[key] = value
    further: dict[str, object] = {}
    for key, value in wanted_params(overrides).items():
        plain = msgspec.to_builtins(msgspec.json.decode(msgspec.json.encode(value)))
        (params if key in PARAMS | TYPED else further)[key] = plain
    if further:
        params["extra_body"] = further
    lines = dump([{"model_name": name, "litellm_params": params}])
    key = "" if deployment.provider == "simulated" else "    # api_key: os.environ/…\n"
    return indent(lines + key, "  ")


def _comment(lines: Iterable[str]) -> str:
    return "".join(f"# {line}\n" if line else "#\n" for line in lines)

"""Decides who answers a call: which group, by which experiment. Pure: callers bring the ticket.

Picking a deployment of the group is `routing.attempts`; which variant of an experiment a call
gets, `routing.assignment`.
"""

from collections.abc import Mapping

from msgspec import Struct

from understudy.server.domain.completion import Warning
from understudy.server.domain.deployment import Deployment, ModelGroup, Snapshot
from understudy.server.domain.experiments import (
    SLOTS,
    Assigned,
    AssignmentReason,
    Experiment,
    State,
    Variant,
)
from understudy.server.domain.request import CompletionRequest, SplitMode, Target
from understudy.server.errors import AccessError, Reason, RequestError, UnderstudyError
from understudy.server.routing.assignment import assign, serving_slots
from understudy.server.routing.groups import build_group, draw_group, find_group

_TOLERANCE = 1.0  # basis points, which rounding may cost


class Choice(Struct, frozen=True):
    """Who answers. `variant` is empty for a plain `model`, a group for a plain split.

    `experiment` and `arm` are there where the experiment says what is asked, and how; `assigned`
    also where a caller overrode it.
    """

    group: ModelGroup
    variant: str = ""
    assigned: Assigned | None = None
    experiment: Experiment | None = None
    arm: Variant | None = None
    warnings: tuple[Warning, ...] = ()


def choose_target(snapshot: Snapshot, request: CompletionRequest, ticket: float) -> Choice:
    """Return who answers.

    A group that an experiment has taken over is answered by the experiment's variants; a split by
    `models` names groups as they are. Raises RequestError for a target that names nothing, two
    things, or nothing that exists; RefusedError for an experiment that does not serve.
    """
    target = request.target
    _check(target)
    if target.model:
        group = find_group(snapshot, target.model)
        owner = snapshot.takeovers.get(group.name)
        if owner is None:
            return Choice(group)
        return _follow(snapshot, snapshot.experiments[owner], request, ticket)
    if not target.experiment:
        return _draw(snapshot, target.models, ticket)
    if target.mode is SplitMode.OVERRIDE:
        return _override(snapshot, target, ticket)
    experiment = snapshot.experiments.get(target.experiment)
    registers = target.mode is SplitMode.REGISTER
    if experiment is None:
        raise _unknown(target.experiment, registers=registers)
    if registers and experiment.state is State.DRAFT:
        told = f"experiment {experiment.id!r} is a draft, so models= is used"
        return _override(snapshot, target, ticket, Warning("EXPERIMENT_NOT_STARTED", told))
    choice = _follow(snapshot, experiment, request, ticket)
    if registers and (warning := _compare(snapshot, experiment, target.models)) is not None:
        return Choice(
            choice.group,
            choice.variant,
            choice.assigned,
            choice.experiment,
            choice.arm,
            (warning,),
        )
    return choice


def stand_in(snapshot: Snapshot, request: CompletionRequest, ticket: float, why: str) -> Choice:
    """Return who answers a call whose experiment cannot be registered now: its own weights."""
    told = f"experiment {request.target.experiment!r} cannot be registered, so models= is used: "
    warning = Warning("NOT_REGISTERED", told + why)
    return _override(snapshot, request.target, ticket, warning)


def _check(target: Target) -> None:
    given = [name for name in ("model", "models", "experiment") if getattr(target, name)]
    if given == ["models", "experiment"]:
        if target.mode is SplitMode.FOLLOW:
            raise RequestError(
                "`models` beside `experiment` needs a split_mode: REGISTER or OVERRIDE",
                field="models",
            )
        return
    if len(given) != 1:
        told = " and ".join(f"`{name}`" for name in given) or "none of them"
        raise RequestError(
            f"exactly one of `model`, `models`, `experiment` names the target; this call has "
            f"{told}",
            field=given[-1] if given else "model",
        )
    if target.experiment and target.mode is not SplitMode.FOLLOW:
        raise RequestError(f"split_mode {target.mode.name} needs `models`", field="models")


def _draw(snapshot: Snapshot, models: Mapping[str, float], ticket: float) -> Choice:
    group = draw_group(snapshot, models, ticket)
    return Choice(group, group.name)


def _override(snapshot: Snapshot, target: Target, ticket: float, *warnings: Warning) -> Choice:
    group = draw_group(snapshot, target.models, ticket)
    assigned = Assigned(target.experiment, group.name, AssignmentReason.OVERRIDDEN)
    return Choice(group, group.name, assigned, warnings=warnings)


def _follow(
    snapshot: Snapshot, experiment: Experiment, request: CompletionRequest, ticket: float
) -> Choice:
    assigned = assign(experiment, request, ticket)
    arm = experiment.variant(assigned.variant)
    # As it is, even if an experiment has taken it over too: this one, most often.
    try:
        group = find_group(snapshot, arm.model_group)
    except (AccessError, RequestError):
        group = _absent(experiment, arm)
    return Choice(group, arm.id, assigned, experiment, arm)


def _absent(experiment: Experiment, arm: Variant) -> ModelGroup:
    """Return a group that cannot be asked: a share whose group has gone becomes nobody else's."""
    why = f"it is not in the configuration, though variant {arm.id!r} of experiment "
    name = arm.model_group
    gone = Deployment(
        id="",
        group=name,
        provider="",
        model="",
        endpoint=None,
        unusable=f"{why}{experiment.id!r} names it",
    )
    return build_group(name, [gone])


def _unknown(experiment_id: str, *, registers: bool) -> UnderstudyError:
    hint = (
        "calls may not register any here (understudy.experiments.register_on_first_call); "
        "`understudy experiments create` does"
        if registers
        else "ListExperiments names those there are"
    )
    shown = experiment_id[:128]
    return UnderstudyError(
        Reason.EXPERIMENT_NOT_FOUND,
        f"there is no experiment {shown!r}; {hint}",
        metadata={"experiment": shown},
    )


def _compare(
    snapshot: Snapshot, experiment: Experiment, models: Mapping[str, float]
) -> Warning | None:
    """Return a warning if what serves is not what the caller's weights say, by whatever alias."""
    aliases = snapshot.aliases
    total = sum(models.values())
    wanted: dict[str, float] = {}
    for name, weight in models.items() if total else ():
        group = aliases.get(name, name)
        wanted[group] = wanted.get(group, 0) + weight / total * SLOTS
    live: dict[str, int] = {}
    for one in serving_slots(experiment):
        group = experiment.variant(one.variant).model_group
        group = aliases.get(group, group)
        live[group] = live.get(group, 0) + one.end - one.start
    names = wanted.keys() | live.keys()
    if all(abs(wanted.get(name, 0) - live.get(name, 0)) <= _TOLERANCE for name in names):
        return None
    shares = " · ".join(f"{name} {share * 100 / SLOTS:g} %" for name, share in live.items())
    return Warning(
        "SPLIT_DIFFERS",
        f"experiment {experiment.id!r} is {experiment.state.lower().replace('_', ' ')} with "
        f"{shares}; models= of this call is not used (override_client=True uses it)",
    )

"""Says what of an experiment may change in which state. What it may become is `checking`."""

from typing import Final

from msgspec import structs

from understudy.server.domain.experiments import Experiment, State
from understudy.server.errors import Reason, RefusedError, RequestError

# Who is compared with whom, and by what: another of these would be another experiment.
FIXED_WHILE_LIVE: Final = ("assignment", "control", "model_group")
# Who is asked in whose place; with the control's own model and prompt, all that still serves.
FIXED_WHILE_ROLLED_BACK: Final = ("control", "model_group")


def check_etag(current: Experiment, etag: str) -> None:
    """Raise for an etag that is missing, or of what the experiment no longer is."""
    if not etag:
        raise RequestError(
            "etag is missing; send the one that came with what you read", field="etag"
        )
    if etag != current.etag:
        raise RefusedError(
            Reason.ETAG_MISMATCH,
            f"experiment {current.id!r} has changed since it was read; its etag is now "
            f"{current.etag}",
            metadata={"experiment": current.id, "currentEtag": current.etag},
        )


def check_state(current: Experiment, action: str, allowed: tuple[State, ...]) -> None:
    """Raise RefusedError with ILLEGAL_TRANSITION unless the state is one of those."""
    if current.state not in allowed:
        raise _refuse(current, f"{action} is for one that is {_either(allowed)}")


def check_update(current: Experiment, after: Experiment) -> None:
    """Raise RefusedError for what may not change in this state."""
    match current.state:
        case State.DRAFT:
            pass
        case State.RUNNING | State.PAUSED:
            _check_live(current, after)
        case State.ROLLED_BACK:
            _check_rolled_back(current, after)
        case State.CONCLUDED:
            if structs.replace(after, title=current.title) != current:
                raise _refuse(current, "only its title can change until it is started again")


def _check_live(current: Experiment, after: Experiment) -> None:
    _check_fixed(current, after, FIXED_WHILE_LIVE)
    staying = {one.id for one in after.variants}
    for one in current.variants:
        if one.weight and one.id not in staying:
            raise _fix(
                current,
                "variants",
                f"variant {one.id!r} has {one.weight / 100:g} % of the traffic; give it the "
                "weight 0 before it is removed",
            )


def _check_rolled_back(current: Experiment, after: Experiment) -> None:
    """Let everything be mended before the next start but what answers everybody until then."""
    _check_fixed(current, after, FIXED_WHILE_ROLLED_BACK)
    control = current.variant(current.control)
    kept = [one for one in after.variants if one.id == control.id]
    if not kept or structs.replace(kept[0], weight=control.weight) != control:
        raise _fix(
            current,
            "variants",
            f"the control {control.id!r} serves all traffic, so only its weight can change",
        )


def _check_fixed(current: Experiment, after: Experiment, names: tuple[str, ...]) -> None:
    for name in names:
        if getattr(current, name) != getattr(after, name):
            raise _fix(current, name, f"{name} cannot change while it is {current.state}")


def _fix(current: Experiment, field: str, message: str) -> RefusedError:
    return RefusedError(
        Reason.IMMUTABLE_WHILE_RUNNING,
        f"experiment {current.id!r}: {message}",
        metadata={"experiment": current.id, "field": f"experiment.{field}"},
    )


def _refuse(current: Experiment, message: str) -> RefusedError:
    return RefusedError(
        Reason.ILLEGAL_TRANSITION,
        f"experiment {current.id!r} is {current.state}; {message}",
        metadata={"experiment": current.id, "state": current.state},
    )


def _either(states: tuple[State, ...]) -> str:
    *most, last = states
    return f"{', '.join(most)} or {last}" if most else last

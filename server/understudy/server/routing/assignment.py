"""Decides which variant of an experiment a call gets. Pure: callers bring the ticket.

By its key where it has one, so that the same caller stays with the same variant; else by the
ticket. What a variant then changes in the prompt is `routing.overriding`; which deployment of its
group is asked, `routing.attempts`.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Final

from understudy.server.domain.experiments import (
    SLOTS,
    Assigned,
    AssignmentReason,
    Experiment,
    KeyKind,
    SlotRange,
    State,
)
from understudy.server.domain.request import CompletionRequest
from understudy.server.errors import Reason, RefusedError
from understudy.server.routing.slots import find_slot, owner

# Not the tag of the slots: a hash on a record must not tell the slot, nor one the other.
_TAG: Final = b"understudy/v1/key\x1f"
_HASH_DIGITS: Final = 16


def assign(experiment: Experiment, request: CompletionRequest, ticket: float) -> Assigned:
    """Return the variant that a call gets, and why.

    A call without a key is drawn by the ticket and has no `key_hash`. `epoch` is 0 unless the
    experiment is running: what is not compared belongs to no epoch. Raises RefusedError with
    EXPERIMENT_NOT_STARTED for a draft.
    """
    match experiment.state:
        case State.DRAFT:
            raise RefusedError(
                Reason.EXPERIMENT_NOT_STARTED,
                f"experiment {experiment.id!r} is a draft; StartExperiment makes it serve",
                metadata={"experiment": experiment.id},
            )
        case State.ROLLED_BACK:
            return Assigned(experiment.id, experiment.control, AssignmentReason.ROLLED_BACK)
        case State.CONCLUDED:
            return Assigned(experiment.id, experiment.winner, AssignmentReason.CONCLUDED)
        case State.RUNNING:
            epoch = experiment.epochs[-1].number
        case State.PAUSED:
            epoch = 0
    key = find_key(experiment, request)
    if key is None:
        variant = owner(experiment.slots, int(ticket * SLOTS))
        return Assigned(experiment.id, variant, AssignmentReason.RANDOM, epoch)
    salt = experiment.assignment.salt
    variant = owner(experiment.slots, find_slot(salt, key))
    return Assigned(experiment.id, variant, AssignmentReason.STICKY, epoch, hash_key(salt, key))


def find_key(experiment: Experiment, request: CompletionRequest) -> str | None:
    """Return what a call is assigned by, `None` if it has no such thing or none is wanted.

    A label that is there and empty is a key like any other; a user that is empty is none, because
    the wire does not tell it from one that was not given.
    """
    match experiment.assignment.key:
        case KeyKind.AUTO | KeyKind.USER:
            return request.user or None
        case KeyKind.METADATA:
            return request.metadata.get(experiment.assignment.metadata_key)
        case KeyKind.REQUEST:
            return None


def hash_key(salt: str, key: str) -> str:
    """Return 16 hexadecimal digits by which a run's records can count keys without knowing them.

    A pseudonym, not a secret: whoever has the salt can try out keys.
    """
    digest = sha256(_TAG + salt.encode() + b"\x1f" + key.encode()).hexdigest()
    return digest[:_HASH_DIGITS]


def serving_slots(experiment: Experiment) -> Sequence[SlotRange]:
    """Return who gets which slot as the state has it; nothing for a draft."""
    match experiment.state:
        case State.DRAFT:
            return ()
        case State.RUNNING | State.PAUSED:
            return experiment.slots
        case State.ROLLED_BACK:
            return (SlotRange(0, SLOTS, experiment.control),)
        case State.CONCLUDED:
            return (SlotRange(0, SLOTS, experiment.winner),)


def takeovers(experiments: Iterable[Experiment]) -> Mapping[str, str]:
    """Return by model group the id of the experiment that answers for it.

    A live one before those that ended, of these the last to end. Made once for each snapshot. Only
    a caller's own group is looked up here: a variant's group is asked itself, even if it is taken
    over too.
    """
    taking = (one for one in experiments if one.model_group and one.state is not State.DRAFT)
    return {
        one.model_group: one.id
        for one in sorted(taking, key=lambda one: (one.state.is_live, one.ended, one.revision))
    }

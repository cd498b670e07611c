"""What an experiment is: variants that share a model group's prompts by weight, and its life.

Values only, such as they are stored. Who gets which variant is decided in `routing`, what may
change and when in `experiments`.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Raw, Struct

SLOTS = 10_000  # one for each basis point of traffic


class State(StrEnum):
    """Where an experiment is in its life."""

    DRAFT = "DRAFT"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    ROLLED_BACK = "ROLLED_BACK"
    CONCLUDED = "CONCLUDED"

    @property
    def is_live(self) -> bool:
        """Whether prompts are split between variants."""
        return self in (State.RUNNING, State.PAUSED)


class KeyKind(StrEnum):
    """What a caller is assigned to a variant by."""

    AUTO = "AUTO"  # the user where the call has one, else drawn
    USER = "USER"
    METADATA = "METADATA"
    REQUEST = "REQUEST"  # drawn for each request


class Overrides(Struct, frozen=True):
    """What a variant changes in a request. `None` leaves what the caller sent.

    `params` are further parameters, each as the JSON text that was written.
    """

    system_prompt: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    params: Mapping[str, Raw] = {}


class Variant(Struct, frozen=True):
    """An arm. `weight` is in basis points of traffic, in [0, 10000]."""

    id: str
    model_group: str
    weight: int
    overrides: Overrides = Overrides()


class Assignment(Struct, frozen=True):
    """How callers are assigned. `salt` is random, and new with each run; empty before the first."""

    key: KeyKind = KeyKind.AUTO
    metadata_key: str = ""
    salt: str = ""


class MirrorPart(Struct, frozen=True):
    """A silent model that an experiment plays its prompts to. `timeout` is in seconds."""

    model_group: str
    fraction: float = 1.0
    timeout: float | None = None
    overrides: Overrides = Overrides()


class SlotRange(Struct, frozen=True):
    """Slots from `start` up to, not including, `end`, all of one variant.

    `taken` orders a variant's ranges by when it took them: the last is the first to be given up.
    """

    start: int
    end: int
    variant: str
    taken: int = 0


class Epoch(Struct, frozen=True):
    """A span of a run within which figures may be added up. Times are in µs since 1970.

    `weights` are the variants' in basis points: what a share was expected to be then.
    """

    number: int
    revision: int
    started: int
    weights: Mapping[str, int]
    ended: int | None = None
    cause: str = ""


class Experiment(Struct, frozen=True, kw_only=True):
    """An experiment as stored. Times are in microseconds since 1970, 0 for what never happened.

    `slots` cover 0 to 9999 once it has run, in ascending order; `runs` counts its starts.
    """

    id: str
    title: str = ""
    model_group: str = ""  # that it takes over; empty: reached by its id alone
    variants: tuple[Variant, ...]
    control: str
    assignment: Assignment = Assignment()
    mirror: tuple[MirrorPart, ...] = ()
    state: State = State.DRAFT
    revision: int = 0
    epochs: tuple[Epoch, ...] = ()
    slots: tuple[SlotRange, ...] = ()
    winner: str = ""
    runs: int = 0
    created: int = 0
    updated: int = 0
    started: int = 0
    ended: int = 0

    @property
    def etag(self) -> str:
        """What a caller sends back to change this and nothing newer."""
        return f'"{self.revision}"'

    def variant(self, variant_id: str) -> Variant:
        """Return the variant of this id. Raises KeyError if there is none."""
        for one in self.variants:
            if one.id == variant_id:
                return one
        raise KeyError(variant_id)


class AssignmentReason(StrEnum):
    """Why a call got its variant."""

    STICKY = "STICKY"  # by its key's slot
    RANDOM = "RANDOM"  # drawn: the call has no key, or the experiment wants none
    OVERRIDDEN = "OVERRIDDEN"  # by the caller's own weights
    ROLLED_BACK = "ROLLED_BACK"  # everybody gets the control
    CONCLUDED = "CONCLUDED"  # everybody gets the winner


class Assigned(Struct, frozen=True):
    """The variant that a call got. `key_hash` names the sticky key without telling it.

    `epoch` is 0 for a call that is not compared, as while the experiment is paused or has ended.
    """

    experiment: str
    variant: str
    reason: AssignmentReason
    epoch: int = 0
    key_hash: str = ""


class AuditEntry(Struct, frozen=True):
    """One change and who made it. `before` and `after` are experiments as JSON text, or empty."""

    seq: int
    experiment: str
    instant: int  # microseconds since 1970
    actor: str
    action: str
    revision: int
    before: str = ""
    after: str = ""
    cause: str = ""


class Roster(Struct, frozen=True):
    """All experiments as of a revision, by id."""

    revision: int
    experiments: Mapping[str, Experiment] = {}

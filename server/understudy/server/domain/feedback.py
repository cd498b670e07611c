"""What people and programs say of one answer: a score, yes or no, or words. Values only."""

from msgspec import Struct


class Feedback(Struct, frozen=True):
    """An opinion on the answer that was served, or on that of a silent model.

    `value` is a finite number, a boolean, or a text; `id` makes it idempotent: the same id is the
    same feedback, stored once. `actor` is the name of the caller's key, `created` in microseconds
    since 1970.
    """

    id: str
    pair_id: str
    metric: str
    value: float | bool | str
    silent_model: str = ""
    actor: str = ""
    created: int = 0

"""Says which fields an update means, and takes them over. Whether they may change is `changes`.

Paths are the contract's field names.
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Final

from msgspec import structs

from understudy.server.domain.experiments import Assignment, Experiment
from understudy.server.errors import Reason, RequestError

WHOLE: Final = frozenset({"title", "model_group", "variants", "control", "assignment", "mirror"})
PARTS: Final = frozenset({"assignment.key", "assignment.metadata_key"})
FIXED: Final = frozenset(
    {
        "name",
        "state",
        "revision",
        "etag",
        "epochs",
        "winner",
        "create_time",
        "update_time",
        "start_time",
        "end_time",
        "assignment.salt",
    }
)
_LONGEST_SHOWN: Final = 64


def read_mask(paths: Sequence[str], populated: Iterable[str]) -> frozenset[str]:
    """Return the fields to change: those named, all for `*`, without a mask those that are set.

    What only the server sets is passed over where it came along unnamed, as it does when somebody
    sends back what they read. Raises RequestError with BAD_UPDATE_MASK.
    """
    if not paths:
        return WHOLE.intersection(populated)
    if "*" in paths:
        if len(paths) > 1:
            raise _refuse("*", "'*' means every field and stands alone")
        return WHOLE
    for path in paths:
        if path in FIXED:
            raise _refuse(path, f"{path!r} is set by the server only")
        if path not in WHOLE | PARTS:
            shown = path if len(path) <= _LONGEST_SHOWN else path[:_LONGEST_SHOWN] + "…"
            near = get_close_matches(shown, WHOLE | PARTS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(WHOLE))}"
            raise _refuse(shown, f"no field that can be changed is called {shown!r}; {hint}")
    return frozenset(paths)


def apply_mask(current: Experiment, wanted: Experiment, fields: frozenset[str]) -> Experiment:
    """Return the experiment with these fields as wanted."""
    changes: Mapping[str, object] = {
        name: getattr(wanted, name) for name in WHOLE & fields if name != "assignment"
    }
    whole = "assignment" in fields
    now, then = current.assignment, wanted.assignment
    assignment = Assignment(
        then.key if whole or "assignment.key" in fields else now.key,
        then.metadata_key if whole or "assignment.metadata_key" in fields else now.metadata_key,
        now.salt,
    )
    return structs.replace(current, assignment=assignment, **changes)


def _refuse(path: str, message: str) -> RequestError:
    return RequestError(
        message,
        field="update_mask",
        reason=Reason.BAD_UPDATE_MASK,
        metadata={"field": path},
    )

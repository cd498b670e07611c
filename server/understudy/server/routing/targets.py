"""Decides which model group a request's target means. Pure: callers bring the ticket."""

from understudy.server.domain.deployment import ModelGroup, Snapshot
from understudy.server.domain.request import Target
from understudy.server.errors import Reason, RequestError
from understudy.server.routing.groups import draw_group, find_group


def choose_group(snapshot: Snapshot, target: Target, ticket: float) -> tuple[ModelGroup, str]:
    """Return the group that answers and the variant assigned, empty for a plain `model`.

    Raises RequestError for a target that names nothing, two things, or nothing that exists.
    """
    given = [name for name in ("model", "models", "experiment") if getattr(target, name)]
    if given == ["model"]:
        return find_group(snapshot, target.model), ""
    if given == ["models"]:
        group = draw_group(snapshot, target.models, ticket)
        return group, group.name
    if "experiment" in given and "model" not in given:
        raise RequestError(
            "this version does not serve experiments; name a group in `model` or a split in "
            "`models`",
            field="experiment",
            reason=Reason.NOT_IMPLEMENTED,
        )
    told = " and ".join(f"`{name}`" for name in given) or "none of them"
    raise RequestError(
        f"exactly one of `model`, `models`, `experiment` names the target; this call has {told}",
        field=given[-1] if given else "model",
    )

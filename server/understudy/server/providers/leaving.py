"""What a dialect cannot carry: an error for the caller, or a recorded loss with `drop_params`. Pure."""

from understudy.server.domain.completion import Warning
from understudy.server.domain.deployment import Deployment
from understudy.server.errors import Reason, RequestError

DROPPED = "DROPPED_PARAMETER"


class Losses:
    """What one prompt loses on its way into a dialect."""

    def __init__(self, deployment: Deployment) -> None:
        self._provider = deployment.provider
        self._may_drop = deployment.drop_params
        self._warnings: list[Warning] = []

    @property
    def warnings(self) -> tuple[Warning, ...]:
        """What was dropped, in the order in which it was met."""
        return tuple(self._warnings)

    def drop(self, field: str, why: str = "") -> None:
        """Leave a field out, `field` being its path such as `messages[2].content[0]`.

        Raises RequestError with UNSUPPORTED_PARAMETER unless `drop_params` allows it.
        """
        told = f"{self._provider} does not take {field!r}" + (f": {why}" if why else "")
        if not self._may_drop:
            raise RequestError(
                f"{told}; leave it out, or set drop_params: true to have it dropped",
                field=field,
                reason=Reason.UNSUPPORTED_PARAMETER,
            )
        self._warnings.append(Warning(DROPPED, f"{told}, so it was dropped"))

"""Says why the service must not start on a file that is well formed.

Nothing that protected or recorded is dropped silently, and no share of the traffic goes to a
deployment that cannot be asked, unless the operator says so.
"""

from itertools import groupby

from understudy.server.config.loading import Config
from understudy.server.config.report import DeploymentReport
from understudy.server.config.standing_table import Standing


def refusals(config: Config, *, allow_unusable: bool = False) -> list[str]:
    """Return the reasons not to start, none if all is well."""
    report = config.report
    found = [
        f"{key.places[0]}: {key.name} protected or recorded something and is ignored ({key.why}); "
        f"name it in understudy.accept_ignored to do without"
        for key in report.keys
        if key.standing is Standing.MISSED and not key.accepted
    ]
    if not allow_unusable:
        for _, members in groupby(report.deployments, key=lambda one: one.group):
            found += _unusable(list(members))
    return found


def _unusable(members: list[DeploymentReport]) -> list[str]:
    """Return who has a share beside usable ones and cannot be asked."""
    if not any(one.usable for one in members):
        return []
    return [
        f"model group {one.group!r}: deployment {one.id!r} ({one.provider or '?'}/{one.model}) has "
        f"{one.share:.0%} of the calls and cannot be asked: {one.unusable}; mend it, give it the "
        "weight 0, or allow unusable deployments (--allow-unusable)"
        for one in members
        if not one.usable and one.share > 0
    ]

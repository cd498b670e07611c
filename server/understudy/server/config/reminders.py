"""Says at each start what an operator chose and should not forget. Pure; the time is brought."""

from collections.abc import Iterable

from understudy.server.config.report import DeploymentReport, Report

_MOST = 5  # names in one sentence
_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


def remind(report: Report, now: float) -> list[str]:
    """Return what to warn of. `now` is in seconds since 1970."""
    usable = [one for one in report.deployments if one.usable]
    told: list[str] = []
    if unverified := [one for one in usable if not one.verified]:
        told.append(
            f"certificates are not verified (ssl_verify: false) for {_names(unverified)}: "
            "whoever is on the way there can read prompts and keys, and answer"
        )
    told += [
        f"{_names([one])}: {tell_expiry(one.expires, now)}; {one.note}"
        for one in usable
        if one.expires is not None
    ]
    return told


def tell_expiry(expires: float, now: float) -> str:
    """Return when a token expires, in words."""
    left = expires - now
    if left <= 0:
        return "its token has expired"
    for unit, name in ((_DAY, "days"), (_HOUR, "h"), (_MINUTE, "min")):
        if left >= 2 * unit:
            return f"its token expires in {int(left / unit)} {name}"
    return f"its token expires in {int(left)} s"


def _names(deployments: Iterable[DeploymentReport]) -> str:
    names = list(dict.fromkeys(f"{one.group} ({one.provider}/{one.model})" for one in deployments))
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more

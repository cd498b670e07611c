"""Divides among workers what is meant for the whole host. Pure."""

from dataclasses import replace

from understudy.server.config.settings import MirrorSettings


def share(settings: MirrorSettings, workers: int, *, divides_budget: bool = True) -> MirrorSettings:
    """Return one worker's part of the mirror's limits: at least one of each, rounded up.

    The budget is divided where each worker keeps what it spends to itself; where they share the
    cap, it is each one's.
    """

    def part(whole: int) -> int:
        return -(-whole // workers)

    return replace(
        settings,
        threads=part(settings.threads),
        max_in_flight=part(settings.max_in_flight),
        max_in_flight_per_model=part(settings.max_in_flight_per_model),
        max_queue=part(settings.max_queue),
        max_queue_bytes=part(settings.max_queue_bytes),
        budget=replace(settings.budget, usd=settings.budget.usd / workers)
        if divides_budget
        else settings.budget,
    )

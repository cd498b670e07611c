"""Experiments and changes for the tests of the store."""

from collections.abc import Callable

from understudy.server.domain.experiments import Experiment, Overrides, Roster, Variant
from understudy.server.errors import Reason, RefusedError
from understudy.server.experiments.changes import Change

Decide = Callable[[Roster, int], Change]


def experiment(name: str = "x", title: str = "", revision: int = 0) -> Experiment:
    """An experiment with two variants."""
    return Experiment(
        id=name,
        title=title,
        variants=(
            Variant("a", "gpt-4", 8000),
            Variant("b", "llama-2", 2000, Overrides(system_prompt="Be brief, 🦙.")),
        ),
        control="a",
        revision=revision,
    )


def creation(name: str = "x", title: str = "") -> Decide:
    """Create it."""
    return lambda _, revision: Change("Create", None, experiment(name, title, revision), "why")


def renaming(name: str, title: str, etag: str) -> Decide:
    """Rename it, if nobody else was faster."""

    def decide(roster: Roster, revision: int) -> Change:
        current = roster.experiments[name]
        if current.etag != etag:
            raise RefusedError(Reason.ETAG_MISMATCH, "changed meanwhile")
        return Change("Rename", current, experiment(name, title, revision))

    return decide


def deletion(name: str) -> Decide:
    """Delete it."""
    return lambda roster, _: Change("Delete", roster.experiments[name], None)

"""What changing and following experiments needs from the world."""

from collections.abc import Callable
from typing import Protocol

from understudy.server.domain.experiments import AuditEntry, Roster
from understudy.server.domain.record_queries import Found, Query
from understudy.server.experiments.changes import Change


class Store(Protocol):
    """Where experiments are kept. Blocks; each method raises RefusedError while it is away."""

    def revision(self) -> int:
        """Return the revision of the last change. Cheap."""
        ...

    def load(self) -> Roster:
        """Return all there is."""
        ...

    def change(
        self, decide: Callable[[Roster, int], Change], *, actor: str, instant: int
    ) -> tuple[Change, Roster]:
        """Make the change that `decide` returns for what there is and the next revision."""
        ...

    def list_audit(self, query: Query) -> Found[AuditEntry]:
        """Return a page of audit entries."""
        ...

    def follow(self, revision: int) -> tuple[AuditEntry, ...]:
        """Return the first changes after a revision, in their order."""
        ...


class Memory(Protocol):
    """Where the last that was seen is kept, for while the store is away. Blocks, never raises."""

    @property
    def place(self) -> str:
        """Where that is, for people."""
        ...

    def save(self, roster: Roster) -> bool:
        """Keep these; return whether they are kept."""
        ...

    def load(self) -> Roster | None:
        """Return what was kept, `None` if nothing was."""
        ...

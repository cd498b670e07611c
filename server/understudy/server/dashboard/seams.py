"""What the dashboard needs of others: proof of who asks, what was recorded, the host."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from understudy.server.dashboard.status import Board
from understudy.server.domain.access import Identity
from understudy.server.domain.experiments import AuditEntry, Experiment, Roster
from understudy.server.domain.figures import Dimension, Measures, Scope, Series, Step, Totals
from understudy.server.domain.ratings import Rating, Tally, Unrated
from understudy.server.domain.record_queries import Found, Query
from understudy.server.domain.records import Kept, Pair
from understudy.server.domain.reports import Question, Update


class Admission(Protocol):
    """Knows who may call what."""

    @property
    def is_open(self) -> bool:
        """Whether nobody has to prove anything."""
        ...

    def admit(
        self,
        method: str,
        metadata: Sequence[tuple[str, str | bytes]],
        auth: Mapping[str, Iterable[bytes]],
    ) -> Identity:
        """Return who calls, if it may call this method. Raises AccessError."""
        ...


class Desk(Protocol):
    """The experiments that serve, and where they are changed; changes are asked by `House.ask`.

    Each change returns when every serving part of the host follows, and raises UnderstudyError.
    """

    @property
    def is_away(self) -> bool:
        """Whether nothing can be changed, because the store cannot be reached."""
        ...

    @property
    def roster(self) -> Roster:
        """The experiments that serve."""
        ...

    def get(self, experiment_id: str) -> Experiment:
        """Return an experiment as it serves. Raises UnderstudyError if there is none."""
        ...

    async def create(self, draft: Experiment, *, actor: str) -> Experiment:
        """Create a draft."""
        ...

    async def update(
        self,
        wanted: Experiment,
        *,
        etag: str,
        paths: Sequence[str],
        actor: str,
        validate_only: bool = False,
    ) -> tuple[Experiment, int]:
        """Change the fields in `paths`; return also how many basis points of keys move."""
        ...

    async def start(self, experiment_id: str, *, etag: str, actor: str) -> Experiment:
        """Begin a run."""
        ...

    async def pause(self, experiment_id: str, *, etag: str, actor: str) -> Experiment:
        """Hold the split."""
        ...

    async def resume(self, experiment_id: str, *, etag: str, actor: str) -> Experiment:
        """Go on comparing."""
        ...

    async def rollback(self, experiment_id: str, *, cause: str, actor: str) -> Experiment:
        """Give everybody the control."""
        ...

    async def conclude(
        self, experiment_id: str, *, etag: str, winner: str, actor: str
    ) -> tuple[Experiment, str]:
        """Give everybody the winner; return also the YAML that makes it permanent."""
        ...

    async def delete(self, experiment_id: str, *, etag: str, actor: str) -> None:
        """Delete what is not live."""
        ...

    async def write_permanent(self, experiment_id: str) -> str:
        """Return the YAML that makes the winner of an experiment permanent."""
        ...

    async def list_audit(self, query: Query) -> Found[AuditEntry]:
        """Return a page of the audit trail."""
        ...


class Archive(Protocol):
    """What was recorded. Blocks; each method raises RefusedError while the store is away."""

    def list_records(self, query: Query, *, with_texts: bool) -> Found[Kept]:
        """Return a page of records."""
        ...

    def list_pairs(self, query: Query, *, with_texts: bool) -> Found[Pair]:
        """Return a page of pairs."""
        ...

    def get_pair(self, pair_id: str, *, with_texts: bool) -> Pair | None:
        """Return what is known of one request, `None` if nothing is."""
        ...


class Figures(Protocol):
    """Calls in the mass. Blocks; each method raises RefusedError while the store is away."""

    def series(self, scope: Scope, step: Step, by: Dimension = Dimension.VARIANT) -> Series:
        """Return figures over time."""
        ...

    def totals(self, scope: Scope, by: Dimension = Dimension.VARIANT) -> Totals:
        """Return figures of a window."""
        ...

    def overview(self, start: int, end: int) -> Mapping[str, Measures]:
        """Return figures of a window by experiment."""
        ...


class Ratings(Protocol):
    """What reviewers say. Blocks; each method raises RefusedError while the store is away."""

    def rate(self, rating: Rating) -> None:
        """Take a rating, in the place of the same reviewer's earlier one."""
        ...

    def next_unrated(
        self, reviewer: str, *, silent_model: str | None = None, ticket: float | None = None
    ) -> Unrated | None:
        """Return what a reviewer has not rated yet."""
        ...

    def of_pair(self, pair_id: str) -> tuple[Rating, ...]:
        """Return the ratings of a pair."""
        ...

    def counts(self, *, experiment: str | None = None) -> tuple[Tally, ...]:
        """Return the verdicts, counted."""
        ...


class Records(Protocol):
    """All that is recorded."""

    @property
    def reader(self) -> Archive:
        """Call by call."""
        ...

    @property
    def figures(self) -> Figures:
        """In the mass."""
        ...

    @property
    def ratings(self) -> Ratings:
        """What reviewers say."""
        ...


class Reports(Protocol):
    """Has reports computed. Asked by `House.ask`."""

    async def look(self, question: Question, *, anew: bool = False) -> Update:
        """Return how far a report is, or the report; begin it if nobody has. Does not wait.

        It goes on for as long as somebody looks. Raises UnderstudyError for what becomes of it.
        """
        ...

    def tell(self, metric: str) -> str:
        """Return what a metric means, for people; empty if nobody knows."""
        ...


class Host(Protocol):
    """All that serves on this host. Asked by `House.ask`."""

    async def status(self) -> Board:
        """Return how it is."""
        ...

    async def pause(self, silent_model: str, *, actor: str, cause: str) -> None:
        """Stop mirroring to one silent model, or to all if the name is empty."""
        ...

    async def resume(self, silent_model: str, *, actor: str, cause: str) -> None:
        """Go on with one, or with all."""
        ...

"""What the dashboard needs of others: proof of who asks, what was recorded, the host."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from understudy.server.domain.access import Identity
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
    """Has reports computed. Asked on the service's own loop: see `House.ask`."""

    async def look(self, question: Question, *, anew: bool = False) -> Update:
        """Return how far a report is, or the report; begin it if nobody has. Does not wait.

        It goes on for as long as somebody looks. Raises UnderstudyError for what becomes of it.
        """
        ...

    def tell(self, metric: str) -> str:
        """Return what a metric means, for people; empty if nobody knows."""
        ...


class Host(Protocol):
    """All that serves on this host. Asked on the service's own loop: see `House.ask`."""

    async def status(self) -> Any:
        """Return how it is: `GetStatusResponse`, which only the edge may name."""
        ...

    async def pause(self, silent_model: str, *, actor: str, cause: str) -> None:
        """Stop mirroring to one silent model, or to all if the name is empty."""
        ...

    async def resume(self, silent_model: str, *, actor: str, cause: str) -> None:
        """Go on with one, or with all."""
        ...

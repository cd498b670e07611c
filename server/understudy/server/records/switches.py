"""Remembers which silent models are paused, so that a restart does not wake them. Blocks."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Delete, Engine, delete, insert, select

from understudy.server.database.asking import refusing
from understudy.server.database.engine import writing
from understudy.server.records.cleaning import clean
from understudy.server.records.schema import mirror_pauses

_AWAY = "the store of pauses is away"


@dataclass(frozen=True, slots=True)
class Pause:
    """A silent model whose mirroring is paused; the empty name is all of them.

    `instant` is in microseconds since 1970; `actor` is who paused it, `cause` why.
    """

    silent_model: str
    instant: int
    actor: str
    cause: str


class Switches:
    """Pauses, kept in the store. Each method raises RefusedError if the store is away."""

    def __init__(self, engine: Engine, epoch: Callable[[], int]) -> None:
        self._engine = engine
        self._epoch = epoch

    def load(self) -> tuple[Pause, ...]:
        """Return the pauses in force."""
        with refusing(_AWAY), self._engine.connect() as connection:
            rows = connection.execute(select(mirror_pauses).order_by(mirror_pauses.c.silent_model))
            return tuple(Pause(*row) for row in rows)

    def pause(self, silent_model: str, actor: str, cause: str) -> None:
        """Keep a pause; the newest actor and cause stand."""
        with refusing(_AWAY), writing(self._engine) as connection:
            connection.execute(_of(silent_model))
            connection.execute(
                insert(mirror_pauses).values(
                    silent_model=silent_model,
                    pause_time=self._epoch(),
                    actor=clean(actor),
                    cause=clean(cause),
                )
            )

    def resume(self, silent_model: str) -> None:
        """Forget a pause, if there is one. The empty name is the pause of all, and not each."""
        with refusing(_AWAY), writing(self._engine) as connection:
            connection.execute(_of(silent_model))


def _of(silent_model: str) -> Delete:
    return delete(mirror_pauses).where(mirror_pauses.c.silent_model == silent_model)

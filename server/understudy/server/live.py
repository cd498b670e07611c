"""Holds the configuration in use. It is swapped whole; a request reads it once, at its start."""

from understudy.server.domain.deployment import Snapshot


class Live:
    """The current snapshot. Reading and swapping are single steps, so no lock is needed."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._current = snapshot

    @property
    def current(self) -> Snapshot:
        """The snapshot that a request starting now shall use to its end."""
        return self._current

    def swap(self, snapshot: Snapshot) -> None:
        """Use another snapshot for the requests to come. Raises ValueError for an older one."""
        if snapshot.revision <= self._current.revision:
            raise ValueError(
                f"revision {snapshot.revision} is not newer than {self._current.revision}"
            )
        self._current = snapshot

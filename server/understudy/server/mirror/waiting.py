"""Copies that wait for a seat: by silent model, so that a slow one holds up no other. Pure."""

from collections import deque
from collections.abc import Sequence

from understudy.server.mirror.copies import Copy
from understudy.server.mirror.shedding import Hold, Shed


class Waiting:
    """First come, first served within a silent model; the models take turns."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Copy]] = {}
        self._holds: dict[str, Hold] = {}
        self._count = 0  # so that other threads may ask for it

    def __len__(self) -> int:
        return self._count

    @property
    def silent_models(self) -> Sequence[str]:
        """Those that copies wait for, in the order of their turns."""
        return tuple(self._queues)

    @property
    def oldest(self) -> float | None:
        """When the copy that has waited longest was offered."""
        return min((queue[0].offered for queue in self._queues.values()), default=None)

    def add(self, copy: Copy) -> None:
        """Let a copy wait."""
        self._count += 1
        self._queues.setdefault(copy.silent_model, deque()).append(copy)

    def first(self, silent_model: str) -> Copy | None:
        """Return the copy whose turn it is."""
        queue = self._queues.get(silent_model)
        return queue[0] if queue else None

    def take(self, silent_model: str) -> Copy:
        """Remove the copy whose turn it is; its model's next turn comes after all others'."""
        queue = self._queues.pop(silent_model)
        copy = queue.popleft()
        self._count -= 1
        if queue:
            self._queues[silent_model] = queue
        return copy

    def remove(self, copy: Copy) -> bool:
        """Remove a copy, and return whether it waited."""
        queue = self._queues.get(copy.silent_model)
        if queue is None or copy not in queue:
            return False
        queue.remove(copy)
        self._count -= 1
        if not queue:
            del self._queues[copy.silent_model]
        return True

    def hold(self, silent_model: str, hold: Hold) -> None:
        """Remember what the copies for a silent model wait for."""
        self._holds[silent_model] = hold

    def release(self) -> None:
        """Forget what is waited for."""
        self._holds.clear()

    def take_old(self, since: float) -> list[tuple[Copy, Shed]]:
        """Remove the copies offered at or before an instant, each with what it waited for."""
        old: list[tuple[Copy, Shed]] = []
        for silent_model, queue in tuple(self._queues.items()):
            hold = self._holds.get(silent_model)
            reason = Shed.TOO_OLD if hold is None else Shed(hold.value)
            while queue and queue[0].offered <= since:
                old.append((queue.popleft(), reason))
                self._count -= 1
            if not queue:
                del self._queues[silent_model]
        return old

    def take_all(self) -> list[Copy]:
        """Remove every copy."""
        copies = [copy for queue in self._queues.values() for copy in queue]
        self._queues.clear()
        self._count = 0
        return copies

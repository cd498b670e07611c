"""Decides which names become label values: those of the configuration, and so many of them.

Callers name models, users and experiments as they like; what only they know is `other`. A name
that was once let in stays, so that its counters go on after a reload has removed it.
"""

from collections.abc import Callable, Hashable
from typing import Final, TypeVar

from understudy.server.domain.deployment import Snapshot

MOST: Final = 200  # names of one kind; then `other`
OTHER: Final = "other"
_LONGEST: Final = 120  # characters of a label value

_Key = TypeVar("_Key", bound=Hashable)


def clean(name: str) -> str:
    """Return a name that every format can carry: no control characters, no halves of pairs."""
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST - 1]}…"
    return "".join(one if one.isprintable() else "\ufffd" for one in name)


class Vocabulary:
    """The names that are in use as label values. For one thread.

    `snapshot` returns the configuration in use. The empty name, of what there is none, stays.
    """

    def __init__(self, snapshot: Callable[[], Snapshot], most: int = MOST) -> None:
        self.snapshot = snapshot
        self._most = most
        self._groups: dict[str, str] = {"": ""}
        self._deployments: dict[tuple[str, str], str] = {}
        self._experiments: dict[str, str] = {"": ""}
        self._variants: dict[tuple[str, str], str] = {}

    def group(self, name: str) -> str:
        """Return what to call a model group."""
        known = self._groups.get(name)
        if known is None:
            known = self._admit(self._groups, name, name, name in self.snapshot().groups)
        return known

    def deployment(self, group: str, name: str) -> str:
        """Return what to call a deployment of a group."""
        if not name:
            return ""
        known = self._deployments.get((group, name))
        if known is None:
            found = self.snapshot().groups.get(group)
            exists = found is not None and any(one.id == name for one in found.deployments)
            known = self._admit(self._deployments, (group, name), name, exists)
        return known

    def experiment(self, name: str) -> str:
        """Return what to call an experiment."""
        known = self._experiments.get(name)
        if known is None:
            exists = name in self.snapshot().experiments
            known = self._admit(self._experiments, name, name, exists)
        return known

    def variant(self, experiment: str, name: str) -> str:
        """Return what to call a variant: of an experiment, or a group of a call's own split."""
        if not name:
            return ""
        known = self._variants.get((experiment, name))
        if known is None:
            snapshot = self.snapshot()
            found = snapshot.experiments.get(experiment)
            exists = name in snapshot.groups or (
                found is not None and any(one.id == name for one in found.variants)
            )
            known = self._admit(self._variants, (experiment, name), name, exists)
        return known

    def _admit(self, names: dict[_Key, str], key: _Key, name: str, exists: bool) -> str:
        if not exists or len(names) >= self._most:
            return OTHER
        return names.setdefault(key, clean(name))

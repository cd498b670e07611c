"""Which silent models are paused: a value, swapped whole, so that reading it needs no lock."""

from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True)
class Pauses:
    """Everything, or some silent models by name."""

    everything: bool = False
    silent_models: frozenset[str] = frozenset()

    def holds(self, silent_model: str) -> bool:
        """Return whether nothing is played to a silent model."""
        return self.everything or silent_model in self.silent_models

    def pause(self, silent_model: str | None) -> Self:
        """Return with one more silent model paused, or everything."""
        if silent_model is None:
            return replace(self, everything=True)
        return replace(self, silent_models=self.silent_models | {silent_model})

    def resume(self, silent_model: str | None) -> Self:
        """Return without the pause of a silent model, or without any."""
        if silent_model is None:
            return replace(self, everything=False, silent_models=frozenset())
        return replace(self, silent_models=self.silent_models - {silent_model})

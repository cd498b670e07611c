"""Plants the experiments that the configuration file brings along where the store has none yet.

The store is the truth: what is there already stays as it is, and where the file says otherwise
that is told. While the store is away they wait for it. How they are read is `config.seeds`.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from understudy.server.domain.experiments import Experiment
from understudy.server.errors import Reason, UnderstudyError
from understudy.server.experiments.causes import describe
from understudy.server.experiments.documents import Document, read_document, write_document

RETRY: Final = 0.25  # seconds between looks at a store that is away
ACTOR: Final = "configuration file"

_LOG = logging.getLogger(__name__)


class Soil(Protocol):
    """Where experiments are planted."""

    @property
    def is_away(self) -> bool:
        """Whether nothing can be planted now."""
        ...

    async def plant(self, draft: Experiment, *, running: bool, actor: str) -> Experiment:
        """Create an experiment unless there is one of its id; return what there is."""
        ...


class Planter:
    """Plants seeds, and again what a reloaded file brings along."""

    def __init__(self, soil: Soil) -> None:
        self._soil = soil
        self._left: list[Document] = []
        self._wanted = asyncio.Event()
        self._turn = asyncio.Lock()

    def use(self, seeds: Sequence[Document]) -> None:
        """Plant these; what is left of others is given up."""
        self._left = list(seeds)
        self._wanted.set()

    async def plant(self) -> None:
        """Plant what is left, as far as the store is there."""
        async with self._turn:
            while self._left and not self._soil.is_away:
                seeds = self._left  # which may be given up meanwhile
                if not await self._deal_with(seeds[0]):
                    return
                del seeds[0]

    async def run(self) -> None:
        """Plant whatever is left and wanted until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self.plant()
            if self._left:
                await asyncio.sleep(RETRY)
                self._wanted.set()

    async def _deal_with(self, seed: Document) -> bool:
        """Plant one seed or say why not; return whether that was possible now."""
        name = seed.experiment.id
        try:
            stored = await self._soil.plant(
                seed.experiment, running=seed.state == "running", actor=ACTOR
            )
        except UnderstudyError as error:
            if error.reason is Reason.STORE_UNAVAILABLE:
                return False
            _LOG.warning("seed %r is not planted: %s", name, error.message)
            return True
        told = "; ".join(find_differences(seed, stored))
        if told:
            _LOG.warning(
                "seed %r is not as the store has it, which counts (file → store): %s", name, told
            )
        return True


def find_differences(seed: Document, stored: Experiment) -> Iterator[str]:
    """Yield in words how what is stored differs from its seed."""
    # As people would write it: without what only the server sets, and JSON without its spaces.
    written = read_document(write_document(stored)).experiment
    if seed.experiment.title != written.title:
        yield "title"
    if cause := describe(seed.experiment, written):
        yield cause
    if seed.state and seed.state != stored.state.lower():
        yield f"{seed.state} → {stored.state.lower().replace('_', ' ')}"

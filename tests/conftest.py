"""What every test may ask for."""

import gc
from collections.abc import Generator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings

from .postgresql import postgresql
from .service.running import Demo, process

__all__ = ["postgresql"]  # a fixture of every folder

# Folders whose tests hold something to a time: others beside them would take theirs.
ALONE = frozenset({"faults", "inprocess", "mirror", "proofs", "service", "upstream", "workers"})
ROOT = Path(__file__).parent
_NUMBERS = count()

# A busy machine is no failure: what may take how long is measured by the benchmarks.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_collection_finish() -> None:
    """Keep what was collected out of the collector's way.

    To go through all of it takes half a second, in which stubs in this process answer nobody.
    """
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what has the machine to itself."""
    for item in items:
        if item.path.relative_to(ROOT).parts[0] in ALONE:
            item.add_marker(pytest.mark.alone)


@pytest.fixture(scope="session", autouse=True)
def state_homes(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """What services keep by default goes into a folder of the run, not into the home."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def own_state_home(state_homes: Path) -> Generator[None]:
    """A folder for each test: what one has spent, or recorded, is no other's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(state_homes / str(next(_NUMBERS))))
        yield


@pytest.fixture(scope="session")
def demo() -> Generator[Demo]:
    """`understudy demo` on a free port, for the whole run."""
    with process("demo", "--port", "0", "--no-traffic") as running:
        yield running

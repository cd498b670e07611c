"""What every test may ask for."""

from collections.abc import Generator

import pytest
from hypothesis import settings

from .postgresql import postgresql
from .service.running import Demo, process

__all__ = ["postgresql"]  # a fixture of every folder

# A busy machine is no failure: what may take how long is measured by the benchmarks.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """What services keep by default goes into a folder of the run, not into the home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def demo() -> Generator[Demo]:
    """`understudy demo` on a free port, for the whole run."""
    with process("demo", "--port", "0", "--no-traffic") as running:
        yield running

"""What every test may ask for."""

from collections.abc import Generator

import pytest
from hypothesis import settings

from .service.running import Demo, process

# A busy machine is no failure: what may take how long is measured by the benchmarks.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def demo() -> Generator[Demo]:
    """`understudy demo` on a free port, for the whole run."""
    with process("demo", "--port", "0") as running:
        yield running

"""What every test may ask for."""

from collections.abc import Generator

import pytest

from .service.running import Demo, process


@pytest.fixture(scope="session")
def demo() -> Generator[Demo]:
    """`understudy demo` on a free port, for the whole run."""
    with process("demo", "--port", "0") as running:
        yield running

"""What these tests may ask for."""

from collections.abc import Generator

import pytest

from ..stub.faultstub import FaultStub
from ..stub.runners import stub_thread


@pytest.fixture
def stub() -> Generator[FaultStub]:
    """A model in a thread of its own, so that tests may block."""
    with stub_thread(FaultStub()) as running:
        yield running

"""What the tests of the client may ask for."""

from collections.abc import Generator

import pytest

from understudy.client.settings import ENVIRONMENT

from .scripted import Server, serving


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own settings out."""
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Generator[Server]:
    """A scripted service."""
    with serving() as running:
        yield running

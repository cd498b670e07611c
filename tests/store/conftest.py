"""A store of experiments for each test: SQLite in a folder, and a real PostgreSQL."""

from collections.abc import Generator
from pathlib import Path

import pytest

from understudy.server.domain.deployment import Secret
from understudy.server.store import ExperimentStore, open_store

from ..postgresql import database


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> Generator[Secret | None]:
    """The URL of an empty database, none for SQLite."""
    if request.param == "sqlite":
        yield None
        return
    with database(request.getfixturevalue("postgresql")) as found:
        yield Secret(found, "TEST_URL")


@pytest.fixture
def store(url: Secret | None, tmp_path: Path) -> Generator[ExperimentStore]:
    """An empty store."""
    opened = open_store(url, tmp_path / "state")
    yield opened
    opened.close()

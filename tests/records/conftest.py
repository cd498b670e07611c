"""A store for each test: SQLite in a folder, and a real PostgreSQL where one is installed."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ..postgresql import database
from .stores import Store


@contextmanager
def _opening(request: pytest.FixtureRequest, folder: Path) -> Generator[Store]:
    if request.param == "sqlite":
        yield Store(folder / "state")
        return
    with database(request.getfixturevalue("postgresql")) as url:
        yield Store(folder / "state", url)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Store]:
    """An empty store."""
    with _opening(request, tmp_path) as store:
        yield store


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def module_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Store]:
    """A store that the tests of a module share."""
    with _opening(request, tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Store:
    """An empty store in files, for what only files can do."""
    return Store(tmp_path / "state")

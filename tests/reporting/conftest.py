"""A store for each test, as `records` has them, that is filled with what never happened."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from understudy.server.database.migrating import migrate
from understudy.server.records.schema import MIGRATIONS

from ..postgresql import database
from ..records.stores import Store


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Engine]:
    """An empty store of either kind."""
    if request.param == "sqlite":
        with empty_store(tmp_path) as store:
            yield store
        return
    with (
        database(request.getfixturevalue("postgresql")) as url,
        empty_store(tmp_path, url) as store,
    ):
        yield store


@pytest.fixture
def lite(tmp_path: Path) -> Generator[Engine]:
    """An empty store in a file, for what does not depend on the kind."""
    with empty_store(tmp_path) as store:
        yield store


@contextmanager
def empty_store(folder: Path, url: str = "") -> Generator[Engine]:
    """Open an empty store, of a file if there is no URL."""
    with Store(folder, url).engine() as engine:
        migrate(engine, MIGRATIONS, patience=10.0)
        yield engine

"""The tables are made once, whoever comes first, and are those that the code knows."""

import subprocess
import sys

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from understudy.server.database.migrating import migrate
from understudy.server.records.schema import MIGRATIONS, NEWEST, VERSION_TABLE, metadata

from .stores import Store

PROCESSES, THREADS = 8, 5

OPEN_AT_ONCE = """
import sys, threading
from pathlib import Path
from tests.records.stores import Store

store = Store(Path(sys.argv[1]), sys.argv[2])
sys.stdin.readline()
def run():
    with store.open() as records:
        print(bool(records.switches.load() == ()), flush=True)
threads = [threading.Thread(target=run) for _ in range(int(sys.argv[3]))]
for one in threads: one.start()
for one in threads: one.join()
"""


def test_migrations_make_the_tables_that_the_code_knows(store: Store) -> None:
    with store.engine() as engine:
        migrate(engine, MIGRATIONS)
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
            )
            differences = compare_metadata(context, metadata)

    assert differences == []


def test_the_newest_step_is_the_one_that_the_code_expects() -> None:
    config = Config()
    config.set_main_option("script_location", "understudy.server.records:migrations")

    assert ScriptDirectory.from_config(config).get_current_head() == NEWEST


def test_forty_may_start_at_once_on_a_fresh_store(store: Store) -> None:
    command = [sys.executable, "-c", OPEN_AT_ONCE, str(store.folder), store.url, str(THREADS)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    told = ""
    for one in started:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in started:
        told += one.communicate(timeout=60)[0]
        assert one.returncode == 0

    assert told.count("True") == PROCESSES * THREADS


def test_tables_of_a_newer_version_are_left_alone(store: Store) -> None:
    with store.engine() as engine:
        migrate(engine, MIGRATIONS)
        _set_version(engine, "9999")
    with store.open() as records:
        away = records.recorder.figures.away or "not yet"

    assert away
    with store.engine() as engine, engine.connect() as connection:
        assert connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")) == "9999"


def _set_version(engine: Engine, version: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{version}'"))

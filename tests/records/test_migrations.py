"""The tables are made once, whoever comes first, and are those that the code knows."""

import subprocess
import sys
import time

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from understudy.server.database.migrating import migrate
from understudy.server.domain.costs import CostStatus
from understudy.server.domain.figures import Scope
from understudy.server.domain.ratings import Rating, Side, Verdict
from understudy.server.domain.record_queries import Query
from understudy.server.records.schema import MIGRATIONS, NEWEST, VERSION_TABLE, metadata

from ..stub.eventually import eventually_sync
from .stores import Store
from .telling import new_pair_id, paired

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

EARLIER_RECORD = """
INSERT INTO records (id, pair_id, role, request_id, caller, metadata, experiment, variant,
    model_group, deployment, provider, model, served_model, attempt, reason, upstream_status,
    start_time, latency, finish_reason, request_bytes, response_bytes, streamed, config_revision,
    text_state, overridden, warnings, assignment, epoch, key_hash)
VALUES (:id, :pair, 'PRIMARY', '', 'alice', '{}', 'e', 'a', 'g', 'd', 'openai', 'm', 'm', 1, '',
    200, 4102444800000000, 500000, 'stop', 10, 10, false, 1, 'NOT_CAPTURED', false, '[]', '', 0, '')
"""
EARLIER_OFFER = """
INSERT INTO offers (pair_id, silent_model, instance_id, start_time, outcome, reason, caller,
    experiment, variant, model_group, equal, normalized_equal, primary_length, silent_length,
    similarity)
VALUES (:pair, 'gpt-4', 'gone', 4102444800000000, 'PAIRED', '', 'alice', 'e', 'a', 'g', false,
    false, 1, 2, 0.5)
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


def test_a_store_of_an_earlier_version_keeps_what_is_in_it(store: Store) -> None:
    pair_ids = [new_pair_id() for _ in range(20)]
    with store.engine() as engine:
        _migrate_to(engine, "0002")
        with engine.begin() as connection:
            for pair_id in pair_ids:
                connection.execute(text(EARLIER_RECORD), {"pair": pair_id, "id": f"{pair_id}-1"})
                connection.execute(text(EARLIER_OFFER), {"pair": pair_id})
    with store.open() as records:
        for event in paired(new_pair_id()):
            records.recorder.note(event)
        eventually_sync(lambda: records.recorder.figures.written == 3)
        records.ratings.rate(Rating(pair_ids[0], "gpt-4", "ann", Verdict.TIE, Side.SILENT))
        now = time.time_ns() // 1000
        counted = records.figures.totals(Scope(start=0, end=now)).whole
        listed = records.reader.list_records(Query(), with_texts=False).items
        pairs = records.reader.list_pairs(Query(order="similarity"), with_texts=False).items

    assert {one.record.pair_id for one, _ in listed} > set(pair_ids)
    assert len(pairs) == 21
    assert {one.record.cost_status for one, _ in listed} == {CostStatus.UNKNOWN}
    assert counted.calls == 1  # figures begin with the tables that hold them


def _migrate_to(engine: Engine, version: str) -> None:
    config = Config()
    config.set_main_option("script_location", MIGRATIONS.scripts)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)


def _set_version(engine: Engine, version: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{version}'"))

"""What is acknowledged is there, whoever asks; and who changed it is told."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from understudy.server.database.engine import open_engine
from understudy.server.domain.deployment import Secret
from understudy.server.domain.record_queries import Operator, Place, Query, Term
from understudy.server.errors import Reason, RefusedError
from understudy.server.experiments.changes import Change
from understudy.server.store import ExperimentStore, open_store
from understudy.server.store.keeping import FILE
from understudy.server.store.schema import MIGRATIONS, NEWEST, VERSION_TABLE, metadata

from .making import creation, deletion, experiment, renaming


def test_an_empty_store_has_the_first_revision(store: ExperimentStore) -> None:
    assert store.revision() == 1
    assert store.load().experiments == {}


def test_a_change_is_there_for_whoever_opens_the_store_next(
    url: Secret | None, store: ExperimentStore, tmp_path: Path
) -> None:
    change, roster = store.change(creation("x", "🎭"), actor="ann", instant=17)

    other = open_store(url, tmp_path / "state")

    assert change.after == experiment("x", "🎭", 2)
    assert roster.revision == 2
    assert other.load() == roster
    other.close()


def test_a_change_that_is_refused_leaves_nothing(store: ExperimentStore) -> None:
    store.change(creation(), actor="ann", instant=1)

    with pytest.raises(RefusedError) as refused:
        store.change(renaming("x", "new", '"17"'), actor="bob", instant=2)

    assert refused.value.reason is Reason.ETAG_MISMATCH
    assert store.load().experiments == {"x": experiment(revision=2)}
    assert [one.action for one in store.follow(0)] == ["Create"]


def test_a_change_that_changes_nothing_uses_up_no_revision(store: ExperimentStore) -> None:
    store.change(creation(), actor="ann", instant=1)
    same = store.load().experiments["x"]

    store.change(lambda _, __: Change("Nothing", same, same), actor="ann", instant=2)

    assert store.revision() == 2
    assert len(store.follow(0)) == 1


def test_of_a_hundred_updates_on_one_etag_one_wins(
    url: Secret | None, store: ExperimentStore, tmp_path: Path
) -> None:
    """C-3, by four processes' worth of stores."""
    _, roster = store.change(creation(), actor="ann", instant=1)
    etag = roster.experiments["x"].etag
    stores = [open_store(url, tmp_path / "state") for _ in range(4)]

    def attempt(number: int) -> Reason | str:
        rename = renaming("x", f"title {number}", etag)
        try:
            stores[number % 4].change(rename, actor="ann", instant=2)
        except RefusedError as error:
            return error.reason
        return f"title {number}"

    with ThreadPoolExecutor(8) as threads:
        ends = Counter(threads.map(attempt, range(100)))

    assert ends.pop(Reason.ETAG_MISMATCH) == 99
    assert ends == {store.load().experiments["x"].title: 1}
    assert store.revision() == 3
    for one in stores:
        one.close()


def test_the_audit_trail_tells_each_change_in_order(store: ExperimentStore) -> None:
    store.change(creation("x"), actor="ann", instant=1)
    store.change(creation("y"), actor="bob", instant=2)
    store.change(deletion("x"), actor="ann", instant=3)

    entries = store.follow(0)

    assert [(one.experiment, one.action, one.actor, one.revision) for one in entries] == [
        ("x", "Create", "ann", 2),
        ("y", "Create", "bob", 3),
        ("x", "Delete", "ann", 4),
    ]
    assert entries[0].before == ""
    assert entries[0].after == entries[2].before != ""
    assert entries[2].after == ""
    assert entries[0].cause == "why"
    assert [one.revision for one in store.follow(3)] == [4]


def test_the_audit_trail_is_read_by_pages_and_filters(store: ExperimentStore) -> None:
    for number in range(5):
        store.change(creation(f"x{number}"), actor="ann" if number % 2 else "bob", instant=number)

    first = store.list_audit(Query(limit=2))
    second = store.list_audit(Query(limit=2, after=first.items[-1][1]))
    anns = store.list_audit(Query(Term("actor", Operator.EQUAL, "ann")))

    assert [one.experiment for one, _ in first.items] == ["x4", "x3"]
    assert [one.experiment for one, _ in second.items] == ["x2", "x1"]
    assert second.has_more
    assert [one.experiment for one, _ in anns.items] == ["x3", "x1"]
    assert not anns.has_more
    assert store.list_audit(Query(after=Place(1, ""))).items == ()


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE audit_entries SET actor = 'eve' WHERE seq = 2",
        "DELETE FROM audit_entries WHERE seq = 2",
    ],
)
def test_tampering_with_the_audit_trail_is_seen(
    url: Secret | None, store: ExperimentStore, tmp_path: Path, tampering: str
) -> None:
    """P-6."""
    for name in "xyz":
        store.change(creation(name), actor="ann", instant=1)
    assert store.find_tampering() is None

    engine = open_engine(url, tmp_path / "state" / FILE, "url")
    with engine.begin() as connection:
        connection.execute(text(tampering))
    engine.dispose()

    assert store.find_tampering() in (2, 3)


def test_the_migrations_lead_to_the_schema(
    url: Secret | None, store: ExperimentStore, tmp_path: Path
) -> None:
    store.load()
    engine = open_engine(url, tmp_path / "state" / FILE, "url")

    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
        )
        difference = compare_metadata(context, metadata)
    engine.dispose()

    assert difference == []
    config = Config()
    config.set_main_option("script_location", MIGRATIONS.scripts)
    assert ScriptDirectory.from_config(config).get_current_head() == NEWEST


def test_a_store_that_is_away_is_refused_and_used_again_once_it_is_back(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.write_text("in the way")
    store = open_store(None, folder)
    with pytest.raises(RefusedError) as refused:
        store.load()
    assert refused.value.reason is Reason.STORE_UNAVAILABLE

    folder.unlink()

    assert store.load().revision == 1
    store.close()

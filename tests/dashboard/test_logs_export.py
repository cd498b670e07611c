"""Exports of very many calls: bounded, and they say where they end."""

import json
import sqlite3
import time
from pathlib import Path

from ..stub.eventually import eventually_sync
from .house import Visitor
from .mirrored import call, mirrored

_COPIES = 50_100


def test_an_export_is_cut_after_its_bound_and_says_so(tmp_path: Path) -> None:
    with mirrored(tmp_path) as house:
        call(house, 1)
        visitor = Visitor(house.url)
        eventually_sync(lambda: len(visitor.get("/logs/export").text.splitlines()) == 2, within=10)
    multiply(tmp_path / "state")
    with mirrored(tmp_path) as house:
        visitor = Visitor(house.url)
        begin = time.monotonic()
        lines = visitor.get("/logs/export").text.splitlines()
        assert time.monotonic() - begin < 55
        table = visitor.get("/logs/export?format=csv&filter=role+%3D+SILENT").text.splitlines()
        listed = visitor.get("/logs")

    assert len({json.loads(line)["id"] for line in lines[:-1]}) == 50_000
    assert "cut after 50000 rows" in json.loads(lines[-1])["cut"]
    assert len(table) == 2
    assert listed.text.count('class="opens"') == 50


def multiply(state: Path) -> None:
    """Copy the primary's record of the only call under other ids."""
    connection = sqlite3.connect(state / "records.db")
    columns = [row[1] for row in connection.execute("PRAGMA table_info(records)")]
    own = {"id": "printf('%032x', n)", "pair_id": "printf('%032x', n)"}
    chosen = ", ".join(own.get(name, f"records.{name}") for name in columns)
    with connection:
        connection.execute(
            f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers "
            f"WHERE n < {_COPIES}) INSERT INTO records ({', '.join(columns)}) "
            f"SELECT {chosen} FROM numbers, records WHERE records.role = 'PRIMARY'"
        )
    connection.close()

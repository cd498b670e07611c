"""Writes rows of an export: JSON lines, or Parquet by an optional package."""

import importlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, Final, Protocol, cast

import click
import msgspec

from understudy.server.cli.export_rows import Kind, Row

GROUP_ROWS: Final = 10_000  # of a row group of Parquet, which is held in memory
GROUP_TEXT: Final = 32 * 1024 * 1024  # characters of one

_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Writer(Protocol):
    """Takes rows. `close` writes what belongs at the end."""

    def write(self, rows: Iterable[Row]) -> None:
        """Take some rows. Raises OSError."""
        ...

    def close(self) -> None:
        """Write what is left. Raises OSError."""
        ...


class LineWriter:
    """Writes a JSON object on a line of its own for each row; instants are ISO 8601."""

    def __init__(self, file: BinaryIO, columns: Mapping[str, Kind]) -> None:
        self._file = file
        self._instants = [name for name, kind in columns.items() if kind is Kind.INSTANT]
        self._feedback = [name for name, kind in columns.items() if kind is Kind.FEEDBACK]
        self._encoder = msgspec.json.Encoder()

    def write(self, rows: Iterable[Row]) -> None:
        """Take some rows. Raises OSError."""
        lines: list[bytes] = []
        for row in rows:
            told = {**row, **{name: _tell(row[name]) for name in self._instants}}
            for name in self._feedback:
                opinions = cast("list[Row]", row[name])
                told[name] = [{**one, "create_time": _tell(one["create_time"])} for one in opinions]
            lines.append(self._encoder.encode(told))
        if lines:
            self._file.write(b"\n".join(lines) + b"\n")

    def close(self) -> None:
        """Write what is left. Raises OSError."""
        self._file.flush()


class ParquetWriter:
    """Writes row groups of bounded size. Raises UsageError if pyarrow is not there."""

    def __init__(self, file: BinaryIO, columns: Mapping[str, Kind]) -> None:
        self._arrow, parquet = _load()
        self._schema = _schema(self._arrow, columns)
        self._words = [name for name, kind in columns.items() if kind is Kind.WORDS]
        self._labels = [name for name, kind in columns.items() if kind is Kind.LABELS]
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._rows: list[Row] = []
        self._text = 0

    def write(self, rows: Iterable[Row]) -> None:
        """Take some rows. Raises OSError."""
        for row in rows:
            words = {name: msgspec.json.encode(row[name]).decode() for name in self._words}
            labels = {name: list(cast("Row", row[name]).items()) for name in self._labels}
            self._rows.append({**row, **words, **labels})
            self._text += sum(map(len, words.values()))
            if len(self._rows) >= GROUP_ROWS or self._text >= GROUP_TEXT:
                self._write_group()

    def close(self) -> None:
        """Write what is left. Raises OSError."""
        if self._rows:
            self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        self._writer.write_table(self._arrow.Table.from_pylist(self._rows, schema=self._schema))
        self._rows.clear()
        self._text = 0


class _Tables(Protocol):
    def from_pylist(self, rows: Sequence[Row], *, schema: object) -> object: ...


class _Arrow(Protocol):
    """The part of pyarrow that is used here; it has no types of its own."""

    @property
    def Table(self) -> _Tables: ...
    def string(self) -> object: ...
    def int64(self) -> object: ...
    def float64(self) -> object: ...
    def bool_(self) -> object: ...
    def timestamp(self, unit: str, tz: str) -> object: ...
    def map_(self, key: object, item: object) -> object: ...
    def list_(self, item: object) -> object: ...
    def struct(self, fields: Sequence[tuple[str, object]]) -> object: ...
    def schema(self, fields: Sequence[tuple[str, object]]) -> object: ...


class _File(Protocol):
    def write_table(self, table: object) -> None: ...
    def close(self) -> None: ...


class _Parquet(Protocol):
    def ParquetWriter(self, file: BinaryIO, schema: object, *, compression: str) -> _File: ...


def _load() -> tuple[_Arrow, _Parquet]:
    try:
        arrow: Any = importlib.import_module("pyarrow")
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise click.UsageError(
            "Parquet needs pyarrow; install it with: pip install 'understudy[parquet]'"
        ) from error
    return arrow, parquet


def _schema(arrow: _Arrow, columns: Mapping[str, Kind]) -> object:
    instant = arrow.timestamp("us", "UTC")
    text = arrow.string()
    types = {
        Kind.TEXT: text,
        Kind.INTEGER: arrow.int64(),
        Kind.REAL: arrow.float64(),
        Kind.FLAG: arrow.bool_(),
        Kind.INSTANT: instant,
        Kind.LABELS: arrow.map_(text, text),
        Kind.WARNINGS: arrow.list_(arrow.struct([("reason", text), ("message", text)])),
        Kind.FEEDBACK: arrow.list_(
            arrow.struct(
                [
                    ("id", text),
                    ("metric", text),
                    ("number", arrow.float64()),
                    ("boolean", arrow.bool_()),
                    ("text", text),
                    ("actor", text),
                    ("create_time", instant),
                ]
            )
        ),
        Kind.WORDS: text,
    }
    return arrow.schema([(name, types[kind]) for name, kind in columns.items()])


def _tell(instant: object) -> str | None:
    if not isinstance(instant, int):
        return None
    moment = _FIRST + timedelta(microseconds=instant)
    return f"{moment.isoformat(timespec='microseconds').removesuffix('+00:00')}Z"

"""Which columns the fields of records and pairs mean."""

from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import ColumnElement

from understudy.server.database.conditions import Columns
from understudy.server.domain.record_queries import METADATA, PAIR_FIELDS, RECORD_FIELDS
from understudy.server.domain.records import Role
from understudy.server.records.schema import offers, records

_COMPUTED: Final[Columns] = {"is_silent_experiment": records.c.role == Role.SILENT.value}


class _RecordColumns(dict[str, ColumnElement[Any]]):
    """Besides the fields, a column for each label of the caller's."""

    def __missing__(self, field: str) -> ColumnElement[Any]:
        if not field.startswith(METADATA):
            raise KeyError(field)
        label: ColumnElement[Any] = records.c.metadata[field.removeprefix(METADATA)].as_string()
        return label


RECORD_COLUMNS: Final[Columns] = _RecordColumns(
    {name: _COMPUTED[name] if name in _COMPUTED else records.c[name] for name in RECORD_FIELDS}
)
PAIR_COLUMNS: Final[Columns] = MappingProxyType({name: offers.c[name] for name in PAIR_FIELDS})

ORDER_COLUMNS: Final[Columns] = MappingProxyType(
    {
        "start_time": records.c.start_time,
        "latency": records.c.latency,
        "cost": records.c.cost_nano_usd,
    }
)

"""Erases texts so that no byte of them is left in SQLite's file.

SQLite overwrites a row that it deletes, but not the copies that it leaves behind when rows move
between pages; and a deletion makes the rows beside it move. So a text is first overwritten where
it stands, with as many bytes, which moves nothing; and its row is deleted only when no text is
left that is near enough to be moved. Rows are only ever added at the end, which moves nothing
either.
"""

from typing import Final

from sqlalchemy import Connection, text

# Rows between a text and a deletion. A deletion moves rows of its page and of the two beside it,
# and a page of 4096 bytes holds no more than 75 rows of a pair id, a part and two bytes of text.
DISTANCE: Final = 256

_BLANK: Final = text(
    "UPDATE texts SET is_blank = 1,"
    " body = substr(hex(zeroblob(length(CAST(body AS BLOB)) / 2 + 1)),"
    " 1, length(CAST(body AS BLOB)))"
    " WHERE rowid IN (SELECT rowid FROM texts WHERE is_blank = 0 AND create_time < :cutoff"
    " ORDER BY create_time LIMIT :step)"
)
_FIRST_TEXT: Final = text("SELECT min(rowid) FROM texts WHERE is_blank = 0")
_END: Final = text("SELECT max(rowid) + 1 FROM texts")
_DROP: Final = text(
    "DELETE FROM texts WHERE rowid IN"
    " (SELECT rowid FROM texts WHERE rowid < :end ORDER BY rowid LIMIT :step)"
)


def erase_texts(connection: Connection, cutoff: int, step: int) -> int:
    """Erase texts from before an instant, some at a time; return how many rows that changed."""
    blanked = connection.execute(_BLANK, {"cutoff": cutoff, "step": step}).rowcount
    first = connection.scalar(_FIRST_TEXT) or connection.scalar(_END) or 0
    dropped = connection.execute(_DROP, {"end": first - DISTANCE, "step": step}).rowcount
    return blanked + dropped

"""Files that pages are made of besides their text. Each has its hash in its address, so that
browsers may keep it for ever."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from understudy.server.readout.page import STATIC

FOLDER: Final = Path(__file__).parent / "static"
_KINDS: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file. `path` is its address."""

    path: str
    kind: str
    body: bytes


class Assets:
    """All of them, read once, by name and by address."""

    def __init__(self, *folders: Path) -> None:
        found = {
            path.relative_to(folder).as_posix(): _read(path, folder)
            for folder in folders or (FOLDER, STATIC)
            for path in sorted(folder.rglob("*"))
            if path.suffix in _KINDS
        }
        self.by_name: Mapping[str, Asset] = found
        self.by_path: Mapping[str, Asset] = {one.path: one for one in found.values()}

    def address(self, name: str) -> str:
        """Return the address of a file. Raises KeyError if there is none."""
        return self.by_name[name].path


def _read(path: Path, folder: Path) -> Asset:
    body = path.read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:16]
    name = path.relative_to(folder).as_posix()
    return Asset(f"/static/{digest}/{name}", _KINDS[path.suffix], body)

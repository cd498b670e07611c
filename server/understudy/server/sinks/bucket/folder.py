"""A folder of this machine as a store. Needs nothing besides Python."""

import os
from pathlib import Path

from understudy.server.sinks.bucket.stores import StoreError


class FolderStore:
    """Writes objects as files; who else may read them is up to the umask and the folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Write a file whole, over one of its name. Raises StoreError."""
        path = self._root / key
        # Named after its object, so that one which a crash has left is written over.
        part = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(body)
            part.replace(path)
        except OSError as error:
            words = os.strerror(error.errno) if error.errno else type(error).__name__
            raise StoreError(f"the folder cannot be written to: {words}") from error

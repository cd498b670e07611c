"""A process that opens stores of experiments as it is told, each at its first start.

    python -m tests.proofs.opener

It reads a folder and a URL (`-` for SQLite) per line, and answers each with `ok` or what failed.
"""

import sys
from pathlib import Path

from understudy.server.domain.deployment import Secret
from understudy.server.errors import UnderstudyError
from understudy.server.store import open_store


def main() -> None:
    """Open one after the other."""
    print("ready", flush=True)
    for line in sys.stdin:
        folder, url = line.split()
        store = open_store(None if url == "-" else Secret(url, "TEST_URL"), Path(folder))
        try:
            roster = store.load()
            print("ok" if roster.revision == 1 else f"revision {roster.revision}", flush=True)
        except UnderstudyError as error:
            print(error.message, flush=True)
        finally:
            store.close()


if __name__ == "__main__":
    main()

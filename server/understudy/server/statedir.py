"""Where the service keeps what outlives it: database, and later snapshot and spool."""

from collections.abc import Mapping
from pathlib import Path


def find_state_dir(configured: str | None, environ: Mapping[str, str]) -> Path:
    """Return the configured folder, or `understudy` in the XDG state home."""
    if configured is not None:
        return Path(configured).expanduser()
    home = environ.get("XDG_STATE_HOME", "")
    # The specification: a path that is not absolute counts as unset.
    base = Path(home) if Path(home).is_absolute() else Path("~/.local/state").expanduser()
    return base / "understudy"

"""The `understudy` command's door. It opens without the server's dependencies, to name them."""

import signal
import sys


def main() -> None:
    """Run the command line, or say what to install for it."""
    if sys.argv[1:2] == ["serve"]:
        # It is asked to read its file again, which it has not read yet.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        from understudy.server.cli import commands
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("understudy"):
            raise
        sys.exit(
            f"understudy: the command line needs the server's packages ({error.name} is missing); "
            "install them with: pip install 'understudy[server]'"
        )
    commands()


if __name__ == "__main__":
    main()

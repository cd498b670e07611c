"""The `understudy` command's door. It opens without the server's dependencies, to name them."""

import sys


def main() -> None:
    """Run the command line, or say what to install for it."""
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

"""Ends a command on a fault in the configuration: each on a line of its own, no traceback."""

import sys
from collections.abc import Generator
from contextlib import contextmanager

import click

from understudy.server.errors import ConfigError


@contextmanager
def ending_on_faults() -> Generator[None]:
    """Turn a ConfigError into lines on stderr and the exit code 1."""
    try:
        yield
    except ConfigError as error:
        for fault in error.faults:
            click.echo(f"understudy: {fault}", err=True)
        sys.exit(1)

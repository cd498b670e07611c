"""Calls a running service from a command, and ends the command on its errors, in one line."""

import sys
from collections.abc import Generator
from contextlib import contextmanager

import click
import grpc

from understudy import client
from understudy.client.statuses import read_error

target_option = click.option(
    "--target", envvar="UNDERSTUDY_TARGET", help="host:port of the service. [localhost:50051]"
)

TIMEOUT = 30.0  # seconds


@contextmanager
def calling(target: str | None) -> Generator[client.Client]:
    """Open a client; turn what goes wrong into a line on stderr and the exit code 1.

    The key, if the service wants one, is taken from UNDERSTUDY_API_KEY.
    """
    try:
        with client.Client(target, timeout=TIMEOUT) as service:
            try:
                yield service
            except grpc.RpcError as error:
                raise read_error(error, target or "the service", TIMEOUT) from error
    except client.UnderstudyError as error:
        click.echo(f"understudy: {error}", err=True)
        sys.exit(1)

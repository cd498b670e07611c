"""`understudy providers`: whom there is to ask, and with which variables."""

import sys

import click
from rich.console import Console
from rich.table import Table

from understudy.server.providers.page import interface_of, providers, render_page


@click.command(name="providers")
@click.option(
    "--format",
    "shape",
    type=click.Choice(["text", "md"]),
    default="text",
    show_default=True,
    help="A table for the eye, or the whole page with what each provider takes.",
)
def list_providers(*, shape: str) -> None:
    """List the providers, their addresses, and the variables that hold their keys."""
    if shape == "md":
        click.echo(render_page(), nl=False)
        return
    table = Table("model", "interface", "address", "key", box=None, pad_edge=False)
    for name, family in providers():
        table.add_row(
            f"{name}/…",
            interface_of(family),
            family.base or "api_base",
            " or ".join(family.keys) or "-",
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)

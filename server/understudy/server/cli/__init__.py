"""The command line: `understudy serve | demo | check | complete | status | …`.

Each command has a module of its own; what they do is done elsewhere.
"""

import click

from understudy.server.cli.check import check
from understudy.server.cli.complete import complete
from understudy.server.cli.experiments import experiments
from understudy.server.cli.export import export
from understudy.server.cli.pairs import pairs
from understudy.server.cli.providers import list_providers
from understudy.server.cli.records import records
from understudy.server.cli.report import report
from understudy.server.cli.serve import demo, serve
from understudy.server.cli.status import mirror, status


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="understudy")
def commands() -> None:
    """Route LLM completions by weight, over gRPC."""


for command in (
    serve,
    demo,
    check,
    complete,
    status,
    mirror,
    experiments,
    records,
    pairs,
    export,
    report,
    list_providers,
):
    commands.add_command(command)

__all__ = ["commands"]

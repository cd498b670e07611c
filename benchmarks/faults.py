"""`make faults`: every way in which an upstream misbehaves, and what it costs the service.

The cases, and what each must come to, are those of `tests.faults`; here they are told as a table.
Ends with 1 if one of them is not as it must be.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Column, Table

from tests.faults.cases import CASES
from tests.faults.furnishing import SIDES
from tests.faults.house import CALLS, Finding, house


def main() -> None:
    """Play the cases, and print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--case", default="", help="only those whose name holds this")
    options.add_argument("--width", type=int, default=180, help="of the table [180]")
    given = options.parse_args()
    # Progress goes elsewhere, so that the table can be kept.
    console, progress = Console(width=given.width), Console(stderr=True)
    table = Table(
        Column("an upstream that …", no_wrap=True),
        Column("proves", no_wrap=True),
        Column("side", no_wrap=True),
        Column("status or outcome", no_wrap=True),
        Column("seconds", justify="right"),
        Column("peak MiB", justify="right"),
        Column("leaks", justify="right"),
        Column("verdict", overflow="fold"),
        title=f"{CALLS} calls at once for each case and side",
        box=MARKDOWN,
    )
    began = time.monotonic()
    findings: list[Finding] = []
    with tempfile.TemporaryDirectory() as folder, house(Path(folder)) as our_house:
        for case in (one for one in CASES if given.case in one.name):
            with progress.status(case.name):
                findings += [our_house.play(case, side) for side in SIDES]
    for one in findings:
        table.add_row(
            one.case.name,
            one.case.proves,
            one.side,
            one.outcome,
            f"{one.seconds:.2f}",
            f"{one.mebibytes:.1f}",
            str(sum(one.leaks.values())),
            "; ".join(one.faults) or "as it must be",
        )
    console.print(table)
    wrong = sum(1 for one in findings if one.faults)
    took = time.monotonic() - began
    console.print(f"{len(findings)} findings in {took:.0f} s, {wrong} not as they must be")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()

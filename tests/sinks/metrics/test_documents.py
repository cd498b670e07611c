"""What is written about metrics, and made of them, knows those there are, and all of them."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from understudy.server.sinks.metrics import expose
from understudy.server.sinks.metrics.families import FAMILIES, Family, Kind, Merging

from .telling import series
from .test_exposing import everything

ROOT = Path(__file__).parents[3]
METRICS = (ROOT / "docs/metrics.md").read_text()
RUNBOOK = (ROOT / "RUNBOOK.md").read_text()
ALERTS_FILE = ROOT / "deploy/prometheus/alerts.yaml"
BOARD = json.loads((ROOT / "deploy/grafana/understudy.json").read_text())
PROMTOOL = shutil.which("promtool")

WORDS: Final = {Merging.SUM: "sum", Merging.MOST: "largest", Merging.LEAST: "smallest"}


def alerts() -> list[dict[str, Any]]:
    """Return the alert rules."""
    groups = yaml.safe_load(ALERTS_FILE.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> list[str]:
    """Return what the panels of the dashboard ask of Prometheus."""
    panels: list[dict[str, Any]] = BOARD["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def exposed() -> set[str]:
    """Return the names of all series there are, such as each histogram's three."""
    return {name for name, _ in series(expose(everything())[1].decode())}


def asked(expression: str) -> set[str]:
    """Return the metrics that an expression names."""
    return set(re.findall(r"\bunderstudy_\w+", expression))


def row(family: Family) -> str:
    labels = ", ".join(f"`{one}`" for one in family.labels) or "-"
    how = WORDS[family.merging]
    return f"| `{family.told}` | {family.kind} | {labels} | {family.help} | {how} |"


def test_the_documentation_lists_exactly_what_is_exposed() -> None:
    listed = [line for line in METRICS.splitlines() if line.startswith("| `understudy_")]

    assert listed == [row(one) for one in FAMILIES]


@pytest.mark.parametrize("text", [METRICS, RUNBOOK], ids=["metrics.md", "RUNBOOK.md"])
def test_no_document_names_a_metric_that_there_is_not(text: str) -> None:
    assert asked(text) <= exposed() | {one.told for one in FAMILIES}


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_there_is_and_has_its_paragraph(rule: dict[str, Any]) -> None:
    name = rule["alert"]
    wanted = asked(rule["expr"])
    paragraph = re.search(rf"^## {name}\n\n((?:(?!## ).+\n|\n)+)", RUNBOOK, re.MULTILINE)

    assert wanted
    assert wanted <= exposed()
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["runbook"] == f"RUNBOOK.md#{name.lower()}"
    assert paragraph is not None, f"RUNBOOK.md has nothing about {name}"
    assert "allers" in paragraph[1], "what do callers feel?"
    assert "`" in paragraph[1], "which command?"


def test_the_runbook_has_no_alert_that_there_is_not() -> None:
    told = re.findall(r"^## (\w+)", RUNBOOK, re.MULTILINE)

    assert told == [rule["alert"] for rule in alerts()]
    assert set(re.findall(r"\bUnderstudy[A-Z]\w+", RUNBOOK)) == set(told)


def test_the_dashboard_shows_every_metric_and_no_other() -> None:
    wanted = set[str]().union(*map(asked, expressions()))

    assert wanted | asked(json.dumps(BOARD["templating"])) <= exposed()
    for family in FAMILIES:
        names = {f"{family.name}_bucket"} if family.kind is Kind.HISTOGRAM else {family.told}
        assert names <= wanted, f"{family.name} is on no panel"


def test_the_panels_of_the_dashboard_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in BOARD["panels"]]
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells

    assert len(set(ids)) == len(ids)


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
def test_promtool_finds_nothing_wrong_with_the_alerts_and_the_dashboard(tmp_path: Path) -> None:
    assert PROMTOOL is not None
    variables = {"$__rate_interval": "1m", "$job": "j", "$instance": "i"}
    rules: list[dict[str, str]] = []
    for at, one in enumerate(expressions()):
        for name, value in variables.items():
            one = one.replace(name, value)
        rules.append({"record": f"panel:{at}", "expr": one})
    panels = tmp_path / "panels.yaml"
    panels.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    for path in (ALERTS_FILE, panels):
        checked = subprocess.run(
            [PROMTOOL, "check", "rules", str(path)], capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert checked.stderr == ""

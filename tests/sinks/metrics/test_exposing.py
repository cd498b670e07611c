"""What is exposed can be read: by other parsers, in both formats, whatever names are in it."""

import shutil
import subprocess

import pytest

from understudy.server.sinks.metrics import CallMetrics, Heartbeat, Reading, expose
from understudy.server.sinks.metrics.families import FAMILIES, Kind
from understudy.server.sinks.metrics.readings import Sample, Spread

from ...routing.making import deployment, snapshot
from .telling import answered, call, exposed, series, total

PROMTOOL = shutil.which("promtool")
HOSTILE = (
    'quote"', "back\\slash", "line\nbreak", "\r\x00\x1b[31m", "}", "{a=\"b\"} 1", "# HELP x",
    "\u2028", "ünïcödé 模型", " ", ",", "\ud800", "x" * 5_000,
)  # fmt: skip


def everything() -> Reading:
    """Return a figure of each metric there is."""
    return Reading(
        tuple(
            Sample(one.name, tuple("x" for _ in one.labels), 5)
            for one in FAMILIES
            if one.kind is not Kind.HISTOGRAM
        ),
        tuple(
            Spread(one.name, tuple("x" for _ in one.labels), (1,) * (len(one.bounds) + 1), 7)
            for one in FAMILIES
            if one.kind is Kind.HISTOGRAM
        ),
    )


def test_both_formats_say_the_same() -> None:
    reading = everything()

    kind, text = expose(reading, "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
    open_kind, open_text = expose(
        reading, "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
    )

    assert kind.startswith("text/plain; version=0.0.4")
    assert open_kind.startswith("application/openmetrics-text; version=1.0.0")
    assert open_text.endswith(b"# EOF\n")
    assert series(text.decode()) == series(open_text.decode(), is_open=True)


def test_every_metric_is_exposed_under_its_name_and_has_a_sentence() -> None:
    text = expose(everything())[1].decode()

    for one in FAMILIES:
        assert f"# HELP {one.told} {one.help}\n# TYPE {one.told} {one.kind}\n" in text
        assert one.help.endswith(".")
        assert len(set(one.labels)) == len(one.labels)
    assert text.count("# TYPE") == len(FAMILIES)


def test_hostile_names_are_label_values_and_nothing_else() -> None:
    known = snapshot(*(deployment(f"{one}-d", group=one) for one in HOSTILE))
    told = CallMetrics(lambda: known)
    told.tell([answered(group=one) for one in HOSTILE])
    told.tell([call(group=one, deployment=f"{one}-d") for one in HOSTILE])

    for accept in ("", "application/openmetrics-text"):
        text = expose(told.reading, accept)[1].decode()
        found = series(text, is_open=bool(accept))
        assert total(found, "understudy_requests_total") == len(HOSTILE)
        assert total(found, "understudy_requests_total", group='quote"') == 1
        assert total(found, "understudy_requests_total", group="back\\slash") == 1
        assert {name for name, _ in found} == {name for name, _ in exposed(told.reading)}


def test_a_heartbeat_tells_how_late_it_was() -> None:
    now = 100.0
    heart = Heartbeat(lambda: now)

    heart.beat(due=99.98)
    now = 103.5

    found = exposed(heart.reading)
    assert total(found, "understudy_loop_delay_seconds_sum") == pytest.approx(0.02)
    assert total(found, "understudy_loop_delay_seconds_bucket", le="0.01") == 0
    assert total(found, "understudy_loop_delay_seconds_bucket", le="0.025") == 1
    assert heart.silence == pytest.approx(3.25)


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
def test_promtool_finds_nothing_to_say_about_the_metrics() -> None:
    assert PROMTOOL is not None
    text = expose(everything())[1]

    checked = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=text, capture_output=True, check=False
    )

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")

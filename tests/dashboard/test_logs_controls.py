"""Form fields and filters say the same, in both directions."""

from hypothesis import given
from hypothesis import strategies as st

from understudy.server.dashboard.controls import (
    PAIR_CONTROLS,
    RECORD_CONTROLS,
    read_controls,
    write_filter,
)
from understudy.server.domain.record_queries import PAIR_FIELDS, RECORD_FIELDS
from understudy.server.questions.record_filter import read_filter

_TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40).map(
    str.strip
)


@given(_TEXTS, _TEXTS)
def test_what_is_typed_into_the_fields_comes_back(caller: str, label: str) -> None:
    typed = {
        "caller": caller,
        "role": "RETRY",
        "failed": "true",
        "over": "350ms",
        "since": "2026-11-20T12:00:05",
        "label_key": "team",
        "label": label,
    }

    condition = read_filter(write_filter(typed, RECORD_CONTROLS), RECORD_FIELDS, labels=True)

    held = read_controls(condition, RECORD_CONTROLS)
    assert held == {name: text for name, text in typed.items() if text or name == "label"}


def test_empty_fields_are_no_filter() -> None:
    assert write_filter({"caller": " ", "over": ""}, RECORD_CONTROLS) == ""


def test_what_the_fields_cannot_say_is_left_to_the_text() -> None:
    for text in (
        "latency > 2s",
        "role = RETRY OR role = SILENT",
        "role = RETRY AND role = SILENT",
        "NOT failed = true",
        'start_time >= "0001-01-01T00:00:00+14:00"',
    ):
        condition = read_filter(text, RECORD_FIELDS, labels=True)
        assert read_controls(condition, RECORD_CONTROLS) is None, text


def test_a_number_is_milliseconds_and_an_instant_is_utc() -> None:
    said = write_filter({"over": "350", "until": "2026-11-20T12:00"}, RECORD_CONTROLS)

    assert said == 'latency >= 350ms AND start_time < "2026-11-20T12:00Z"'


def test_fields_of_pairs_name_fields_of_pairs() -> None:
    typed = {"silent": "gpt-4", "outcome": "PAIRED", "same": "false", "rated": "true"}

    condition = read_filter(write_filter(typed, PAIR_CONTROLS), PAIR_FIELDS)

    assert read_controls(condition, PAIR_CONTROLS) == typed

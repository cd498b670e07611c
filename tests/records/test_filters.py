"""Filters mean what AIP-160 says, and what is none is told with its place."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.domain.record_queries import (
    EVERYTHING,
    PAIR_FIELDS,
    RECORD_FIELDS,
    AllOf,
    AnyOf,
    Condition,
    Not,
    Operator,
    Term,
)
from understudy.server.errors import RequestError
from understudy.server.questions.record_filter import read_filter

PIECES = [
    *RECORD_FIELDS,
    *(" ", "AND", "OR", "NOT", "(", ")", "=", "!=", "<", ">=", '"', "'", "\\", "*", "-1", "2s"),
    *("1e999", "true", "PRIMARY", "metadata.team", "2026-11-20T12:00:00Z", "9" * 19, "é", ":"),
]


def term(field: str, operator: str, value: str | float | bool) -> Term:
    return Term(field, Operator(operator), value)


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("", EVERYTHING),
        ("  ", EVERYTHING),
        ("role = PRIMARY", term("role", "=", "PRIMARY")),
        ("role=ROLE_SILENT", term("role", "=", "SILENT")),
        ("latency > 2s", term("latency", ">", 2_000_000)),
        ("latency>=1.5m", term("latency", ">=", 90_000_000)),
        ("latency < 350ms", term("latency", "<", 350_000)),
        ('model_group = "a \\"b\\" AND c"', term("model_group", "=", 'a "b" AND c')),
        ("streamed = true", term("streamed", "=", True)),
        ("total_tokens <= 12", term("total_tokens", "<=", 12)),
        ("start_time > 2026-11-20T12:00:00Z", term("start_time", ">", 1795176000_000_000)),
        ("start_time > 2026-11-20", term("start_time", ">", 1795132800_000_000)),
        ("metadata.team = 'x'", term("metadata.team", "=", "x")),
        (
            "role = PRIMARY AND latency > 2s",
            AllOf((term("role", "=", "PRIMARY"), term("latency", ">", 2_000_000))),
        ),
        (
            "model = a AND model = b OR NOT model = c",  # OR binds tighter
            AllOf(
                (
                    term("model", "=", "a"),
                    AnyOf((term("model", "=", "b"), Not(term("model", "=", "c")))),
                )
            ),
        ),
        (
            "(model = a AND attempt = 1) OR model = c",
            AnyOf(
                (
                    AllOf((term("model", "=", "a"), term("attempt", "=", 1))),
                    term("model", "=", "c"),
                )
            ),
        ),
    ],
)
def test_a_filter_means(text: str, condition: Condition) -> None:
    assert read_filter(text, RECORD_FIELDS, labels=True) == condition


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("latncy > 2s", "at character 1: 'latncy' is no field; did you mean 'latency'?"),
        ("role = KING", "at character 8: role is one of FALLBACK, PRIMARY, RETRY, SILENT"),
        ("latency > 2", "at character 11: latency is a duration such as 2s"),
        ("role > PRIMARY", "at character 6: 'role' can be compared by = and != only"),
        ("role = PRIMARY streamed = true", "at character 16: 'streamed' is one too many"),
        ("role = PRIMARY AND", "at character 19: a field is needed here, not 'the end'"),
        ("(role = PRIMARY", "at character 16: a closing bracket is missing"),
        ("role PRIMARY", "at character 6: one of = != < <= > >= is needed after 'role'"),
        ("attempt = 99999999999999999999", "attempt is a whole number"),
        ("attempt = 9999999999999999999", "is too large"),
        ("streamed = yes", "streamed is true or false"),
        ("start_time > yesterday", "start_time is an instant such as"),
        ("metadata.a$b = x", "is no field"),
        ('model = "open', "a value is needed after model ="),
        ("(" * 5000, "longer than 2000"),
        ("NOT " * 30 + "attempt = 1", "more than 20 brackets and NOTs"),
        (" AND ".join(["attempt = 1"] * 51), "more than 50 terms"),
        ("model = a\0b", "NUL"),
    ],
)
def test_what_is_no_filter_is_told_with_its_place(text: str, told: str) -> None:
    with pytest.raises(RequestError) as raised:
        read_filter(text, RECORD_FIELDS, labels=True)

    assert told in raised.value.message
    assert raised.value.field == "filter"


@given(st.text() | st.lists(st.sampled_from(PIECES)).map(" ".join))
def test_no_text_whatever_does_more_than_be_refused(text: str) -> None:
    for fields in (RECORD_FIELDS, PAIR_FIELDS):
        with suppress(RequestError):
            read_filter(text, fields, labels=True)

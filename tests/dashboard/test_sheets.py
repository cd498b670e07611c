"""Forms: what is shown comes back the same, what two people typed is joined, differences are told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs

from understudy.server.dashboard.differences import differ
from understudy.server.dashboard.hosts import Hosts
from understudy.server.dashboard.merging import merge
from understudy.server.dashboard.sessions import LIFETIME, Sessions
from understudy.server.dashboard.sheets import (
    OVERRIDES,
    Row,
    Sheet,
    as_shown,
    read_sheet,
    read_typed,
    write_sheet,
)
from understudy.server.dashboard.throttle import FREE, Throttle
from understudy.server.dashboard.visit import Form
from understudy.server.domain.access import Identity
from understudy.server.domain.experiments import (
    SLOTS,
    Assignment,
    Experiment,
    KeyKind,
    MirrorPart,
    Overrides,
    Variant,
)
from understudy.server.errors import RequestError

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
OVERRIDING = st.builds(
    Overrides,
    st.none() | TEXTS.filter(bool),
    st.none() | st.floats(0, 2, allow_subnormal=False),
    st.none() | st.integers(1, 100_000),
    st.none() | st.integers(0, 100).map(lambda one: one / 100),
    st.dictionaries(TEXTS, st.sampled_from([Raw(b"1"), Raw(b'{"a": [1, 2.50]}'), Raw(b'"x"')])),
)


@st.composite
def experiments(draw: st.DrawFn) -> Experiment:
    cut = draw(st.integers(0, SLOTS))
    key = draw(st.sampled_from(list(KeyKind)))
    return Experiment(
        id="greeting",
        title=draw(TEXTS).strip(),
        model_group=draw(st.sampled_from(["", "gpt-4"])),
        variants=(
            Variant("a", "gpt-4", cut, draw(OVERRIDING)),
            Variant("b", "llama-2", SLOTS - cut, draw(OVERRIDING)),
        ),
        control=draw(st.sampled_from(["a", "b"])),
        assignment=Assignment(key, "tenant" if key is KeyKind.METADATA else ""),
        mirror=draw(
            st.sampled_from([(), (MirrorPart("gpt-5", 0.123456789, 30.25), MirrorPart("llama-2"))])
        ),
    )


def sent(sheet: Sheet) -> Form:
    """The form as a browser sends it: it holds neither NUL nor a lone CR."""
    fields = {
        "title": sheet.title,
        "model_group": sheet.model_group,
        "control": sheet.control,
        "assignment": str(sheet.assignment),
        "metadata_key": sheet.metadata_key,
    }
    for prefix, rows, names in (
        ("v", sheet.variants, ("id", "group", "weight", *OVERRIDES)),
        ("m", sheet.mirror, ("group", "fraction", "timeout", *OVERRIDES)),
    ):
        for row in rows:
            fields |= {f"{prefix}{row.number}-{name}": row[name] for name in names}
    return Form({name: as_shown(text) for name, text in fields.items()})


@given(experiments())
def test_a_form_that_is_sent_back_untouched_changes_nothing(one: Experiment) -> None:
    one = structs.replace(one, title=as_shown(one.title).strip())

    typed = read_typed(sent(write_sheet(one)), one.id)

    assert read_sheet(typed, one) == one


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("weight", ""),
        ("weight", "50.001"),
        ("weight", "-1"),
        ("weight", "101"),
        ("weight", "nan"),
        ("weight", "٨٠"),
        ("temperature", "1e400"),
        ("temperature", "warm"),
        ("max_tokens", "1.5"),
        ("params", "[1]"),
        ("params", '{"a": }'),
        ("params", "{" * 10_000),
    ],
)
def test_what_is_no_number_or_no_json_is_named(name: str, text: str) -> None:
    row = Row(0, {"id": "a", "group": "gpt-4", "weight": "80", name: text})

    with pytest.raises(RequestError, match=r"'a'"):
        read_sheet(Sheet("x", variants=(row,)))


def split(weights: tuple[int, int], **first: Any) -> Experiment:
    return Experiment(
        id="x",
        variants=(
            Variant("a", "gpt-4", weights[0], Overrides(**first)),
            Variant("b", "llama-2", weights[1]),
        ),
        control="a",
        revision=1,
    )


def test_edits_of_different_things_are_joined() -> None:
    base = split((8000, 2000), temperature=0.5)
    mine = split((5000, 5000), temperature=0.5)
    theirs = structs.replace(split((8000, 2000), temperature=0.9), revision=2, title="theirs")

    joined = merge(base, mine, theirs)

    assert joined == structs.replace(
        split((5000, 5000), temperature=0.9), revision=2, title="theirs"
    )


def test_of_two_edits_of_one_thing_the_later_is_left_standing() -> None:
    base, mine, theirs = (split(one) for one in ((8000, 2000), (5000, 5000), (1000, 9000)))

    assert merge(base, mine, theirs).variants == mine.variants
    assert merge(base, base, theirs) == theirs


def test_a_split_is_taken_whole_or_not_at_all() -> None:
    base = split((8000, 2000))
    mine = structs.replace(base, variants=(*base.variants, Variant("c", "gpt-4", 0)))
    theirs = split((5000, 5000))

    assert sum(one.weight for one in merge(base, mine, theirs).variants) == SLOTS


def test_differences_are_those_of_what_people_write() -> None:
    before, after = split((8000, 2000)), split((5000, 5000), system_prompt="one\ntwo")

    lines = [f"{one.kind}: {one.text.strip()}" for one in differ(before, after)]

    assert "removed: weight: 80" in lines
    assert "added: weight: 50" in lines
    assert "added: two" in lines
    assert not differ(before, before)


def test_long_texts_are_not_compared_for_ever() -> None:
    before = split((8000, 2000), system_prompt="a\n" * 5000)
    after = split((8000, 2000), system_prompt="b\n" * 5000)

    assert [one.kind for one in differ(before, after)] == ["gap"]


def test_where_it_listens_everywhere_any_address_is_its_own_and_no_name_but_those_told() -> None:
    hosts = Hosts("0.0.0.0", ("Dash.example",))

    assert hosts.knows("10.1.2.3:50052")
    assert hosts.knows("[2001:db8::1]")
    assert hosts.knows("dash.EXAMPLE:1")
    assert not hosts.knows("other.example")
    assert not Hosts("127.0.0.1").knows("10.1.2.3")
    assert Hosts("10.1.2.3").knows("10.1.2.3")


def test_guesses_are_forgiven_with_time() -> None:
    now = 0.0
    throttle = Throttle(lambda: now)

    for _ in range(FREE - 1):
        throttle.fail("one")
    assert throttle.wait("one") == 0
    throttle.fail("one")
    assert throttle.wait("one") > 0
    assert throttle.wait("another") == 0
    now = 11.0
    assert throttle.wait("one") == 0
    for number in range(3000):
        throttle.fail(f"address-{number}")
    assert throttle.wait("address-2999") > 0  # one of too many, which are one


def test_sessions_end() -> None:
    now = 0.0
    sessions = Sessions(lambda: now)
    token = sessions.begin(Identity("alice", frozenset()))

    assert sessions.find(token) is not None
    assert sessions.find(token + "x") is None
    assert sessions.is_proof(token, sessions.proof(token))
    assert not sessions.is_proof("", sessions.proof(""))
    assert not sessions.is_proof(token, sessions.proof("other"))
    now = LIFETIME + 1
    assert sessions.find(token) is None
    for _ in range(2000):
        sessions.begin(Identity("many", frozenset()))
    first = sessions.begin(Identity("last", frozenset()))
    sessions.end_all()
    assert sessions.find(first) is None

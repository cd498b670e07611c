"""JSON text with halves of pairs becomes JSON text without, and nothing else changes."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from understudy.server.providers.surrogates import mend_surrogates

# Every code point, lone surrogates among them.
TEXTS = st.text(st.characters(codec=None), max_size=12) | st.text(
    st.sampled_from(
        ["\ud800", "\udc00", "\ud83d", "\ude00", "\\", "u", "d", "8", "a", "\U0001f600"]
    ),
    max_size=12,
)


@given(TEXTS)
@example("\\ud800")
@example("\\\ud800\\")
@example("\ud83d\ud83d\ude00\ude00")
def test_lone_halves_become_replacement_characters(text: str) -> None:
    # Written by hand: json.dumps writes a half as it is, and reads two of them as a pair.
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    mended = mend_surrogates(json.dumps(text).encode())

    assert json.loads(mended) == whole


@given(st.binary(max_size=40))
def test_text_without_escapes_stays_as_it_is(raw: bytes) -> None:
    text = raw.replace(b"\\u", b"")

    if b"\\u" not in text:
        assert mend_surrogates(text) == text


@given(st.binary(max_size=40))
def test_what_is_no_json_is_survived(raw: bytes) -> None:
    mend_surrogates(rb"\u" + raw + rb"\ud800\ud8" + raw)

"""The fields of a message are counted as the parser would find them, and no bytes break the count."""

from hypothesis import given
from hypothesis import strategies as st

from understudy.server.servicers.sizing import has_more_fields
from understudy.v1 import chat_pb2, completion_pb2

Request = completion_pb2.CreateCompletionRequest
KIND = Request.DESCRIPTOR


def count(data: bytes) -> int:
    """Return how many fields there are, found from the limit."""
    return next(most for most in range(len(data) + 1) if not has_more_fields(data, KIND, most))


@given(st.lists(st.integers(0, 5), max_size=8), st.lists(st.text(max_size=4), max_size=5))
def test_each_field_counts_once_however_deep_it_is(parts: list[int], stops: list[str]) -> None:
    part = chat_pb2.ContentPart(text="\x12\x00\x12\x00")  # text that looks like fields is none
    request = Request(
        messages=[
            chat_pb2.ChatMessage(role="user", content_parts=[part] * number) for number in parts
        ],
        stop=stops,
        temperature=0.5,
    )
    request.logit_bias["7"] = 1.0  # an entry, its key, its value
    request.extra_body.update({"a": None})  # a struct, its entry, key, value, and what that holds

    expected = len(parts) * 2 + sum(parts) * 2 + len(stops) + 1 + 3 + 5
    assert count(request.SerializeToString()) == expected


@given(st.binary(max_size=200))
def test_bytes_that_are_no_message_are_counted_as_far_as_they_go(data: bytes) -> None:
    assert count(data) <= len(data)


def test_what_comes_after_a_group_that_nobody_knows_is_counted() -> None:
    group = b"\xfb\x7f" + b"\x08\x01" + b"\xfc\x7f"  # begin, a field, end

    assert count(group + Request(stop=["a", "b"]).SerializeToString()) == 5

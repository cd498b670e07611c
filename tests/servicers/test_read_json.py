"""A struct becomes JSON, or is refused by the name of its field."""

from math import inf, nan

import pytest
from google.protobuf.struct_pb2 import Struct

from understudy.server.errors import RequestError
from understudy.server.servicers.read_json import struct_to_json


def test_whole_numbers_are_written_as_such() -> None:
    struct = Struct()
    struct.update({"a": [1.0, 0.5, None, {"b": True}]})

    assert bytes(struct_to_json(struct, "extra_body")) == b'{"a":[1,0.5,null,{"b":true}]}'


@pytest.mark.parametrize("number", [nan, inf, -inf])
def test_what_json_has_no_word_for_is_the_callers_to_mend(number: float) -> None:
    struct = Struct()
    struct.update({"a": [{"b": number}]})

    with pytest.raises(RequestError, match="no JSON") as caught:
        struct_to_json(struct, "extra_body")

    assert caught.value.field == "extra_body"

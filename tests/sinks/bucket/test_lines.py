"""A line says what LiteLLM's would, what we know besides, and no word that it may not."""

import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from understudy.server.config.sink_settings import Capture
from understudy.server.domain.records import Role
from understudy.server.domain.tellings import Generation
from understudy.server.sinks.bucket.lines import read_place, strip_words, write_lines

from .making import STARTED, call

CANARY = "canary-4711"
WORDY = call(
    "w1",
    prompt=CANARY,
    answer=CANARY,
    schema=f'{{"description":"{CANARY}"}}'.encode(),
    stop=[CANARY],
)


def line(telling: Generation, capture: Capture = "content") -> dict[str, object]:
    """Return the one line of a call, decoded."""
    (written,) = write_lines([telling], capture)
    assert written.endswith(b"\n")
    assert written.count(b"\n") == 1
    return msgspec.json.decode(written, type=dict[str, object])


def test_a_line_has_the_fields_of_litellm() -> None:
    found = line(call("a1", temperature=0.5))

    assert found["id"] == "a1"
    assert found["call_type"] == "acompletion"
    assert found["status"] == "success"
    assert found["model"] == "chatgpt-v-2"
    assert found["model_group"] == "gpt-3.5-turbo"
    assert found["custom_llm_provider"] == "azure"
    assert found["response_cost"] == 0.0000275
    assert (found["prompt_tokens"], found["completion_tokens"], found["total_tokens"]) == (
        10,
        5,
        15,
    )
    assert found["startTime"] == STARTED / 1e6
    assert found["endTime"] == (STARTED + 1_500_000) / 1e6
    assert found["completionStartTime"] == (STARTED + 250_000) / 1e6
    assert found["end_user"] == "user-9"
    assert found["messages"] == [{"role": "user", "content": "how are you?"}]
    response = found["response"]
    assert isinstance(response, dict)
    assert response["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "fine"},
            "finish_reason": "stop",
            "logprobs": None,
        }
    ]
    metadata = found["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["requester_metadata"] == {"team": "blue"}
    assert metadata["user_api_key_alias"] == "billing"
    assert found["error_str"] is None
    parameters = found["model_parameters"]
    assert isinstance(parameters, dict)
    assert parameters["temperature"] == 0.5
    assert parameters["tools"]


def test_a_line_has_what_we_know_besides() -> None:
    found = line(call("a1"))

    assert found["pair_id"] == "pair-a1"
    assert found["role"] == "PRIMARY"
    assert found["is_silent_experiment"] is False
    assert found["silent_model"] is None
    assert (found["experiment"], found["variant"]) == ("exp-1", "b")
    assert found["deployment"] == "gpt-3.5-turbo/0"
    assert (found["cost_nano_usd"], found["cost_status"]) == (27_500, "EXACT")
    assert found["traceparent"] == f"00-{'a' * 32}-{'b' * 16}-01"


def test_a_silent_call_says_so() -> None:
    found = line(call("a1", role=Role.SILENT))

    assert found["is_silent_experiment"] is True
    assert found["silent_model"] == "gpt-3.5-turbo"
    metadata = found["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["is_silent_experiment"] is True


def test_what_is_unknown_is_null_and_not_zero() -> None:
    found = line(call("a1", reason="UPSTREAM_UNAVAILABLE"))

    assert found["status"] == "failure"
    assert found["error_str"] == "the provider answered 503"
    assert found["error_information"] == {
        "error_code": "200",
        "error_class": "UPSTREAM_UNAVAILABLE",
        "llm_provider": "azure",
        "error_message": "the provider answered 503",
    }
    for name in ("response_cost", "cost_nano_usd", "prompt_tokens", "total_tokens", "response"):
        assert found[name] is None


def test_no_word_is_written_where_metadata_are_captured() -> None:
    (written,) = write_lines([WORDY], "metadata")

    assert CANARY.encode() not in written
    assert json.loads(written)["model_parameters"] == {"temperature": 0.5}


@pytest.mark.parametrize("capture", ["redacted", "content"])
def test_a_prompt_that_may_not_be_kept_takes_its_parameters_along(capture: Capture) -> None:
    (written,) = write_lines([replace(WORDY, messages=None, choices=None)], capture)

    assert CANARY.encode() not in written


def test_words_can_be_taken_out_of_a_line() -> None:
    (written,) = write_lines([WORDY], "content")
    stripped = strip_words(written)

    assert CANARY.encode() not in stripped
    assert stripped.endswith(b"\n")
    assert json.loads(stripped)["total_tokens"] == 15


def test_a_callers_json_with_line_breaks_stays_on_one_line() -> None:
    found = line(call("a1", schema=b'{\n  "type":\r\n  "object"\n}'))

    parameters = found["model_parameters"]
    assert isinstance(parameters, dict)
    assert parameters["tools"][0]["function"]["parameters"] == {"type": "object"}


def test_half_a_character_does_not_cost_the_line() -> None:
    found = line(call("a1", prompt="half \ud83d of it", schema=b'{\n"a":1}'))

    assert found["id"] == "a1"
    assert found["messages"] == [{"role": "user", "content": "half ? of it"}]


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_what_is_no_number_is_null(number: float) -> None:
    parameters = line(call("a1", temperature=number))["model_parameters"]

    assert isinstance(parameters, dict)
    assert parameters["temperature"] is None


@given(st.text(), st.text(), st.text(min_size=1), st.dictionaries(st.text(), st.text()))
def test_any_text_is_one_line_and_comes_back(
    prompt: str, answer: str, id: str, labels: dict[str, str]
) -> None:
    (written,) = write_lines([call(id, prompt=prompt, answer=answer, labels=labels)], "content")

    found = json.loads(written)
    assert written.count(b"\n") == 1
    assert b"\r" not in written
    assert found["id"] == id
    assert found["messages"][0]["content"] == prompt
    assert found["response"]["choices"][0]["message"]["content"] == answer
    assert found["metadata"]["requester_metadata"] == labels
    assert read_place(written).started_us == STARTED

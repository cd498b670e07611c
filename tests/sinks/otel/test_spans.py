"""What a receiver is told of calls, span by span."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from understudy.server.domain.chat import (
    ChatCall,
    ContentPart,
    FunctionCall,
    FunctionDefinition,
    ImageUrl,
    InputAudio,
    Message,
    Tool,
    ToolCall,
)
from understudy.server.domain.completion import Choice
from understudy.server.domain.records import Role, TextState
from understudy.server.domain.tellings import Generation
from understudy.server.sinks.otel.generations import write_generation
from understudy.server.sinks.otel.requests import write_answered
from understudy.server.sinks.otel.traces import Sampler, read_sampler
from understudy.server.sinks.otel.words import write_answers, write_prompt

from .making import PAIR, answered, asked, generation, trace
from .receiving import Plain, check, plain


def read(told: Generation) -> tuple[Span, dict[str, Plain]]:
    """The span of an upstream call, and its attributes."""
    span = Span.FromString(write_generation(told))
    check(span)
    return span, plain(span.attributes)


def test_a_call_is_told_in_the_words_of_the_conventions() -> None:
    span, said = read(generation())

    assert span.name == "chat gpt-3.5-turbo"
    assert span.kind == Span.SPAN_KIND_CLIENT
    assert span.end_time_unix_nano - span.start_time_unix_nano == 600_000_000
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert said["gen_ai.operation.name"] == "chat"
    assert said["gen_ai.provider.name"] == said["gen_ai.system"] == "openai"
    assert said["gen_ai.request.model"] == "gpt-3.5-turbo"
    assert said["gen_ai.response.model"] == "gpt-3.5-turbo-0125"
    assert said["gen_ai.request.temperature"] == 0.5
    assert said["gen_ai.request.max_tokens"] == 64
    assert said["gen_ai.usage.input_tokens"] == 120
    assert said["gen_ai.usage.output_tokens"] == 40
    assert said["gen_ai.usage.cache_read.input_tokens"] == 20
    assert said["gen_ai.response.finish_reasons"] == ["stop"]
    assert said["gen_ai.response.time_to_first_chunk"] == 0.09
    assert "error.type" not in said


def test_a_call_is_told_in_our_own_words_too() -> None:
    _, primary = read(generation(of=asked(labels={"team": "blue"})))
    _, silent = read(generation(role=Role.SILENT))

    assert primary["understudy.pair_id"] == silent["understudy.pair_id"] == PAIR
    assert (primary["understudy.role"], silent["understudy.role"]) == ("PRIMARY", "SILENT")
    assert primary["understudy.is_silent_experiment"] is False
    assert silent["understudy.is_silent_experiment"] is True
    assert primary["understudy.cost_usd"] == 0.002345
    assert primary["understudy.experiment"] == "spring"
    assert primary["understudy.variant"] == "treatment"
    assert primary["understudy.deployment"] == "openai/one"
    assert primary["understudy.metadata.team"] == "blue"
    assert silent["gen_ai.provider.name"] == "azure.ai.openai"


def test_an_unknown_cost_is_not_told_as_nothing() -> None:
    _, said = read(generation(cost=None))

    assert "understudy.cost_usd" not in said


def test_a_failed_call_says_why() -> None:
    span, said = read(
        generation(
            answer=None,
            reason="UPSTREAM_RATE_LIMITED",
            upstream_status=429,
            message="UPSTREAM_RATE_LIMITED (HTTP 429)",
        )
    )

    assert span.status.code == Status.STATUS_CODE_ERROR
    assert span.status.message == "UPSTREAM_RATE_LIMITED (HTTP 429)"
    assert said["error.type"] == "UPSTREAM_RATE_LIMITED"
    assert said["http.response.status_code"] == 429


def test_primary_and_mirror_are_siblings_below_their_request_and_linked() -> None:
    request = Span.FromString(write_answered(answered()))
    primary, _ = read(generation())
    silent, _ = read(generation(role=Role.SILENT))

    assert request.kind == Span.SPAN_KIND_SERVER
    assert not request.parent_span_id
    assert request.trace_id == primary.trace_id == silent.trace_id == bytes.fromhex(PAIR)
    assert primary.parent_span_id == silent.parent_span_id == request.span_id
    assert len({request.span_id, primary.span_id, silent.span_id}) == 3
    assert [link.span_id for link in silent.links] == [primary.span_id]
    assert silent.links[0].trace_id == primary.trace_id
    assert not primary.links


def test_a_caller_s_trace_is_continued() -> None:
    who = asked(trace=trace(77))
    request = Span.FromString(write_answered(answered(of=who)))
    silent, _ = read(generation(role=Role.SILENT, of=who))

    assert request.trace_id == silent.trace_id == bytes.fromhex(f"{77:032x}")
    assert request.parent_span_id == bytes.fromhex(f"{77:016x}")
    assert request.flags == 0x301
    assert silent.flags == 0x101
    assert request.trace_state == silent.trace_state == "vendor=1"


def test_a_caller_that_gave_up_is_no_failure_of_the_service() -> None:
    gone = Span.FromString(write_answered(answered(reason="CANCELLED")))
    refused = Span.FromString(write_answered(answered(reason="MODEL_NOT_FOUND", attempts=0)))

    assert gone.status.code == Status.STATUS_CODE_UNSET
    assert plain(gone.attributes)["error.type"] == "CANCELLED"
    assert refused.status.code == Status.STATUS_CODE_ERROR


def test_words_are_told_as_messages_of_parts() -> None:
    _, said = read(generation())

    assert json.loads(str(said["gen_ai.input.messages"])) == [
        {"role": "user", "parts": [{"type": "text", "content": "What is the capital of France?"}]}
    ]
    assert json.loads(str(said["gen_ai.output.messages"])) == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "Paris."}],
            "finish_reason": "stop",
        }
    ]
    assert said["understudy.text_state"] == TextState.KEPT


def test_words_that_may_not_be_known_are_nowhere() -> None:
    chat = ChatCall(
        (Message("user", "canary"),),
        {"stop": ["canary"], "service_tier": "canary", "temperature": 1},
        tools=(Tool("function", FunctionDefinition("canary")),),
    )
    told = generation(prompt=None, answer=None, of=asked(chat=chat))

    assert b"canary" not in write_generation(told)
    assert plain(read(told)[0].attributes)["gen_ai.request.temperature"] == 1.0


def test_words_that_are_too_long_are_left_out_and_it_says_so() -> None:
    _, said = read(generation(prompt="x" * 2_000_000))

    assert "gen_ai.input.messages" not in said
    assert "gen_ai.output.messages" in said
    assert said["understudy.text_state"] == TextState.TOO_LONG


def test_tools_pictures_and_thoughts_have_parts_of_their_own() -> None:
    prompt = (
        Message(
            "user",
            (
                ContentPart("text", "look"),
                ContentPart("image_url", image_url=ImageUrl("https://a.example/b.png")),
                ContentPart("image_url", image_url=ImageUrl("data:image/png;base64,QUJD")),
                ContentPart("input_audio", input_audio=InputAudio("QUJD", "wav")),
            ),
        ),
        Message("tool", "22 degrees", tool_call_id="call-1"),
    )
    answer = Message(
        "assistant",
        None,
        reasoning_content="hm",
        tool_calls=(
            ToolCall("call-1", "function", FunctionCall("weather", '{"city": "Paris"}')),
            ToolCall("call-2", "function", FunctionCall("weather", "{no json")),
        ),
    )

    user, tool = json.loads(write_prompt(prompt))
    (said,) = json.loads(write_answers([Choice(0, answer, "tool_calls")]))

    assert user["parts"] == [
        {"type": "text", "content": "look"},
        {"type": "uri", "modality": "image", "uri": "https://a.example/b.png"},
        {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "QUJD"},
        {"type": "blob", "modality": "audio", "mime_type": "audio/wav", "content": "QUJD"},
    ]
    assert tool["parts"] == [
        {"type": "tool_call_response", "id": "call-1", "response": "22 degrees"}
    ]
    reasoning, first, second = said["parts"]
    assert reasoning == {"type": "reasoning", "content": "hm"}
    assert first["arguments"] == {"city": "Paris"}
    assert second["arguments"] == "{no json"


@given(
    st.text(st.characters(), max_size=100),
    st.text(st.characters(), max_size=100),
    st.dictionaries(st.text(st.characters(), min_size=1), st.text(st.characters())),
)
def test_no_words_of_anybody_s_break_a_span(
    prompt: str, answer: str, labels: dict[str, str]
) -> None:
    odd = Message("user", prompt, extra={"x": Raw(b'{"y":"\\ud800 \\u0000"}')})
    told = Generation(
        record=generation(model=prompt, served_model=answer).record,
        asked=asked(labels=labels, request_id=prompt),
        messages=(odd,),
        choices=(Choice(0, Message("assistant", answer), prompt),),
    )

    span = Span.FromString(write_generation(told))

    said = {one.key: one.value.string_value for one in span.attributes}
    assert isinstance(json.loads(said["gen_ai.input.messages"]), list)
    assert not any("\0" in value for value in said.values())


@pytest.mark.parametrize(
    ("name", "argument", "trace_id", "taken"),
    [
        ("", "", "f" * 32, True),
        ("always_off", "", "f" * 32, False),
        ("parentbased_always_off", "", "f" * 32, False),
        ("traceidratio", "0.5", "0" * 16 + "7" * 16, True),
        ("traceidratio", "0.5", "0" * 16 + "8" * 16, False),
        ("parentbased_traceidratio", "0", "1" * 32, False),
        ("traceidratio", "nonsense", "f" * 32, True),
        ("traceidratio", "7", "f" * 32, True),
        ("something_else", "", "f" * 32, True),
    ],
)
def test_traces_that_begin_here_are_sampled_as_the_variables_say(
    name: str, argument: str, trace_id: str, taken: bool
) -> None:
    sampler = read_sampler({"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": argument})

    assert sampler.takes(asked(trace_id)) is taken


def test_what_the_caller_decided_stands_unless_told_otherwise() -> None:
    unsampled, sampled = asked(trace=trace(sampled=False)), asked(trace=trace())

    assert not Sampler().takes(unsampled)
    assert read_sampler({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}).takes(sampled)
    assert read_sampler({"OTEL_TRACES_SAMPLER": "always_on"}).takes(unsampled)

"""Opinions become scores, on the trace that they are about, each once."""

import pytest
from msgspec import structs

from understudy.server.domain.feedback import Feedback

from ...stub.eventually import eventually_sync
from ..otel.making import PAIR, SILENT, asked, generation, mirrored, pair_id, trace
from ..otel.receiving import TAKEN, Post, Reply
from .project import SCORES, opened, project

LIKED = Feedback("fb-1", PAIR, "helpful", True, actor="shop")


@pytest.mark.parametrize(
    ("value", "shown", "kind"),
    [
        (0.25, 0.25, "NUMERIC"),
        (3.0, 3.0, "NUMERIC"),
        (True, 1, "BOOLEAN"),
        (False, 0, "BOOLEAN"),
        ("too long", "too long", "CATEGORICAL"),
        ("\ud800\0", "\ufffd\ufffd", "CATEGORICAL"),
    ],
)
def test_an_opinion_is_a_score_of_its_kind(
    value: float | bool | str, shown: object, kind: str
) -> None:
    with project() as langfuse:
        with opened(langfuse.url) as sink:
            sink.tell([structs.replace(LIKED, value=value)])

        (score,) = langfuse.scores.values()
        assert (score["value"], score["dataType"]) == (shown, kind)
        assert score["name"] == "helpful"
        assert score["traceId"] == PAIR
        assert score["environment"] == "live"
        assert score["metadata"]["pair_id"] == PAIR
        assert score["metadata"]["is_silent_experiment"] is False


def test_a_score_is_on_the_trace_of_the_call_that_it_is_about() -> None:
    who = {"labels": {"trace_id": "mine"}}
    with project() as langfuse:
        with opened(langfuse.url) as sink:
            sink.tell(tuple(mirrored(1, who)))
            sink.tell([Feedback("a", pair_id(1), "helpful", True)])
            sink.tell([Feedback("b", pair_id(1), "helpful", False, silent_model=SILENT)])

        primary, silent = langfuse.observations
        found = {score["metadata"]["feedback_id"]: score for score in langfuse.scores.values()}
        assert found["a"]["traceId"] == primary.trace_id
        assert found["b"]["traceId"] == silent.trace_id
        assert found["b"]["environment"] == "live-mirror"
        assert found["b"]["metadata"]["role"] == "SILENT"


def test_a_score_finds_the_trace_that_a_caller_brought() -> None:
    with project() as langfuse:
        with opened(langfuse.url) as sink:
            sink.tell([generation(of=asked(trace=trace(9))), LIKED])

        (score,) = langfuse.scores.values()
        assert score["traceId"] == f"{9:032x}"


def test_the_same_opinion_is_the_same_score_and_another_request_s_is_another() -> None:
    with project() as langfuse:
        with opened(langfuse.url) as sink:
            sink.tell([LIKED, LIKED, structs.replace(LIKED, pair_id=pair_id(1))])

        assert len(langfuse.receiver.posts) == 3
        assert len(langfuse.scores) == 2


def test_a_long_text_is_a_comment_too() -> None:
    with project() as langfuse:
        with opened(langfuse.url) as sink:
            sink.tell([structs.replace(LIKED, value="x" * 2_000)])

        (score,) = langfuse.scores.values()
        assert len(score["value"]) == 500
        assert len(score["comment"]) == 2_000


def test_scores_are_tried_again_and_calls_do_not_wait_for_them() -> None:
    refused: list[Post] = []

    def script(_number: int, post: Post) -> Reply:
        if post.path == SCORES and len(refused) < 3:
            refused.append(post)
            return Reply(503)
        return TAKEN

    with project(script) as langfuse, opened(langfuse.url) as sink:
        sink.tell([LIKED, *mirrored(1)])
        eventually_sync(lambda: sink.figures.sent == 3, within=5)

        assert len(refused) == 3
        assert len(langfuse.scores) == 1

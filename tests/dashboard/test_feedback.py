"""What was said of an answer is beside it on the page of its call."""

from pathlib import Path

import pytest

from understudy import client

from ..stub.eventually import eventually_sync
from .house import KEYS, Standing, Visitor, standing, with_keys

HOSTILE = "<script>alert(1)</script> \u202eabc"


def judged(house: Standing) -> str:
    """Make a call and say this and that of its answer; return its pair id."""
    with client.Client(house.target, api_key=KEYS["caller"]) as service:
        answer = service.completion("gpt-4", [{"role": "user", "content": "hi"}])
        service.feedback(answer, "helpful", True)
        service.feedback(answer, "stars", 4.5)
        service.feedback(answer, "note", HOSTILE)
    with client.Client(house.target, api_key=KEYS["viewer"]) as service:
        eventually_sync(lambda: list(service.records("has_feedback = true")), within=10)
    return answer.routing.pair_id


@pytest.mark.parametrize("role", ["viewer", "reader"])
def test_feedback_is_beside_its_answer(tmp_path: Path, role: str) -> None:
    with standing(tmp_path, server=with_keys()) as house:
        pair_id = judged(house)
        visitor = Visitor(house.url)
        visitor.log_in(role)
        page = visitor.get(f"/calls/{pair_id}")

    assert page.status == 200
    assert "<b>helpful</b> yes" in page.text
    assert "<b>stars</b> 4.5" in page.text
    assert "caller, " in page.text
    assert "<script>alert" not in page.text
    assert ("&lt;script&gt;alert" in page.text) is (role == "reader")
    assert ("words, which are for readers only" in page.text) is (role == "viewer")

"""A line of JSON for each upstream call: ids and figures, and no text."""

import json

import pytest

from understudy.server.sinks.json_log import JsonLog

from .test_hearing import tellings


def test_a_call_and_its_copy_are_a_line_each(capfd: pytest.CaptureFixture[str]) -> None:
    JsonLog().tell(tellings("canary", "canary"))

    out = capfd.readouterr().out
    primary, silent = (json.loads(line) for line in out.splitlines())
    assert "canary" not in out
    assert primary == {
        "time": "1970-01-01T00:00:01.000Z",
        "pair_id": "p",
        "role": "PRIMARY",
        "is_silent_experiment": False,
        "model_group": "gpt-3.5-turbo",
        "model": "gpt-3.5-turbo",
        "provider": "openai",
        "deployment": "gpt-3.5-turbo-1",
        "attempt": 1,
        "latency_ms": 500.0,
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "total_tokens": 5,
        "upstream_status": 200,
        "finish_reason": "stop",
        "request_id": "request-1",
        "caller": "alice",
    }
    assert (silent["role"], silent["is_silent_experiment"]) == ("SILENT", True)


def test_lines_are_written_whole() -> None:
    chunks: list[bytes] = []

    log = JsonLog(chunks.append)

    log.tell(tellings() * 100)

    assert len(chunks) > 1
    assert all(len(one) <= 4096 and one.endswith(b"\n") for one in chunks)
    assert sum(one.count(b"\n") for one in chunks) == log.figures.sent == 200

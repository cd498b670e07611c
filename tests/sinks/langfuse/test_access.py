"""The keys of a project open that project, and are seen by nobody else."""

import logging
from dataclasses import replace

import pytest

from understudy.server.config.sink_settings import LangfuseSettings
from understudy.server.domain.deployment import Secret
from understudy.server.errors import ConfigError
from understudy.server.sinks.langfuse.checking import find_langfuse_faults
from understudy.server.sinks.langfuse.sink import open_langfuse

from ...stub.eventually import eventually_sync
from ..otel.making import mirrored
from ..otel.receiving import Reply, receiving
from .project import SECRET, SETTINGS, opened, project


def test_missing_keys_are_named_with_the_variables_that_hold_them() -> None:
    faults = find_langfuse_faults(LangfuseSettings())

    assert faults == [
        "understudy.sinks.langfuse.public_key: is missing; write it, or set LANGFUSE_PUBLIC_KEY",
        "understudy.sinks.langfuse.secret_key: is missing; write it, or set LANGFUSE_SECRET_KEY",
    ]
    with pytest.raises(ConfigError, match="LANGFUSE_PUBLIC_KEY"):
        open_langfuse(LangfuseSettings())


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        (replace(SETTINGS, host="ftp://x"), "host: must be a URL that begins with http"),
        (replace(SETTINGS, host="https://me:secret@x"), "host: must hold no user or password"),
        (replace(SETTINGS, host="https://x?a=b"), "host: must have no query"),
        (replace(SETTINGS, host="https://x:port"), "host: must be a URL"),
        (replace(SETTINGS, environment="Live"), "environment: must be"),
        (replace(SETTINGS, environment="x" * 34), "environment: must be"),
        (replace(SETTINGS, environment="langfuse-x"), "environment: must be"),
        (replace(SETTINGS, public_key="a:b"), "public_key: must hold no colon"),
        (replace(SETTINGS, secret_key=Secret("sk-\u00e4")), "secret_key: must be printable"),
    ],
)
def test_what_cannot_be_used_is_a_fault_that_shows_no_secret(
    settings: LangfuseSettings, fault: str
) -> None:
    (found,) = find_langfuse_faults(settings)

    assert found.startswith(f"understudy.sinks.langfuse.{fault}")
    assert "secret@" not in found
    assert SECRET not in found


def test_settings_that_are_whole_have_no_fault() -> None:
    assert find_langfuse_faults(SETTINGS) == []


def test_keys_go_to_the_project_and_never_after_a_redirect() -> None:
    with receiving() as thief:
        elsewhere = Reply(307, {"location": f"{thief.url}/api/public/otel/v1/traces"})
        with project(lambda _number, _post: elsewhere) as langfuse, opened(langfuse.url) as sink:
            sink.tell(tuple(mirrored(1)))
            eventually_sync(lambda: len(langfuse.receiver.posts) >= 2)
            sink.close(0.5)

            assert "redirect" in sink.figures.away
        assert not thief.posts


def test_no_key_is_in_any_log_or_repr(caplog: pytest.LogCaptureFixture) -> None:
    wrong = replace(SETTINGS, public_key="pk-lf-wrong")
    with caplog.at_level(logging.DEBUG), project() as langfuse:
        with opened(langfuse.url, wrong) as sink:
            sink.tell(tuple(mirrored(1)))
            eventually_sync(lambda: sink.figures.away)

        assert set(langfuse.refusals) == {"credentials"}
        assert "credentials" in caplog.text
        assert SECRET not in caplog.text + repr(sink) + repr(sink.figures) + repr(wrong)
        assert sink.figures.dropped == 2


def test_a_project_that_was_down_gets_everything() -> None:
    with receiving() as gone:
        url = gone.url
    with opened(url) as sink:
        for number in range(50):
            sink.tell(tuple(mirrored(number)))
        eventually_sync(lambda: sink.figures.away)
        port = int(url.rpartition(":")[2])
        with receiving(port=port) as back:
            eventually_sync(lambda: sink.figures.sent == 100, within=10)

            assert len(back.spans) == 100

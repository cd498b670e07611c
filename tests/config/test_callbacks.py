"""LiteLLM's callbacks turn on sinks under their own names, with their own variables."""

from typing import Final

import pytest

from understudy.server.config import Config, Standing, refusals
from understudy.server.config.comparing import find_waiting
from understudy.server.config.sink_settings import BucketSettings, LangfuseSettings, OtelSettings
from understudy.server.domain.deployment import Secret

from .reading import faults, read

KEYS: Final = {"LANGFUSE_PUBLIC_KEY": "pk-1", "LANGFUSE_SECRET_KEY": "sk-lf-canary"}
CANARIES: Final = ("sk-lf-canary", "aws-canary", "token-canary")

UNCHANGED: Final = """
litellm_settings:
  success_callback: ["langfuse", "s3"]
  s3_callback_params:
    s3_bucket_name: os.environ/BUCKET
    s3_region_name: eu-north-1
    s3_aws_access_key_id: os.environ/AWS_ID
    s3_aws_secret_access_key: os.environ/AWS_SECRET
    s3_aws_session_token: token-canary
    s3_endpoint_url: http://127.0.0.1:9000
    s3_path: /logs/models/
    s3_use_ssl: false
"""
ENVIRONMENT: Final = {
    **KEYS,
    "LANGFUSE_HOST": "http://127.0.0.1:3000",
    "BUCKET": "calls",
    "AWS_ID": "id-1",
    "AWS_SECRET": "aws-canary",
}


def callbacks(text: str, **environ: str) -> Config:
    """Return the configuration of these litellm_settings, in YAML's short form."""
    return read(f"litellm_settings: {{{text}}}", **environ)


def test_a_file_of_litellms_works_unchanged() -> None:
    config = read(UNCHANGED, **ENVIRONMENT)

    sinks = config.settings.sinks
    assert sinks.langfuse == LangfuseSettings(
        "pk-1",
        Secret("sk-lf-canary", "LANGFUSE_SECRET_KEY"),
        "http://127.0.0.1:3000",
        hears="successes",
    )
    assert sinks.bucket == BucketSettings(
        "s3://calls/logs/models",
        "litellm",
        region="eu-north-1",
        endpoint="http://127.0.0.1:9000",
        access_key_id=Secret("id-1"),
        secret_access_key=Secret("aws-canary"),
        session_token=Secret("token-canary"),
        hears="successes",
    )
    assert sinks.otel is None
    assert config.report.hosts == ("127.0.0.1:3000", "127.0.0.1:9000")
    assert refusals(config) == []
    standings = {key.name: key.standing for key in config.report.keys}
    assert standings["litellm_settings.success_callback.langfuse"] is Standing.HONOURED
    assert standings["litellm_settings.success_callback.s3"] is Standing.HONOURED
    assert standings["litellm_settings.s3_callback_params.s3_path"] is Standing.HONOURED
    assert standings["litellm_settings.s3_callback_params.s3_use_ssl"] is Standing.IGNORED


def test_no_secret_is_in_what_is_shown_of_the_settings() -> None:
    config = read(UNCHANGED, **ENVIRONMENT)

    assert not any(one in repr(config.settings) + repr(config.report) for one in CANARIES)


@pytest.mark.parametrize(
    ("text", "hears"),
    [
        ("callbacks: [langfuse]", "all"),
        ("callbacks: langfuse_otel", "all"),
        ("success_callback: langfuse", "successes"),
        ("failure_callback: [langfuse]", "failures"),
        ("success_callback: [langfuse], failure_callback: [langfuse]", "all"),
        ("success_callback: [langfuse, langfuse_otel]", "successes"),
    ],
)
def test_a_callback_hears_what_its_list_says(text: str, hears: str) -> None:
    langfuse = callbacks(text, **KEYS).settings.sinks.langfuse

    assert langfuse is not None
    assert langfuse.hears == hears


@pytest.mark.parametrize(
    ("text", "environ", "why"),
    [
        (
            "callbacks: [langfuse]",
            {"LANGFUSE_PUBLIC_KEY": "pk"},
            "LANGFUSE_SECRET_KEY not set",
        ),
        ("callbacks: [s3]", {}, "s3_callback_params.s3_bucket_name is not set"),
        (
            "callbacks: [otel]",
            {"OTEL_EXPORTER": "console"},
            "OTEL_EXPORTER is console: spans are sent by OTLP here, to OTEL_ENDPOINT",
        ),
    ],
)
def test_a_callback_that_lacks_something_is_missed_and_stops_the_service(
    text: str, environ: dict[str, str], why: str
) -> None:
    config = callbacks(text, **environ)

    sinks = config.settings.sinks
    assert (sinks.otel, sinks.langfuse, sinks.bucket) == (None, None, None)
    (refusal,) = refusals(config)
    assert why in refusal


def test_prometheus_is_served_anyhow_and_unknown_callbacks_are_missed() -> None:
    config = callbacks("callbacks: [prometheus, posthog]")

    standings = {key.name: key.standing for key in config.report.keys}
    assert standings["litellm_settings.callbacks.prometheus"] is Standing.HONOURED
    assert standings["litellm_settings.callbacks.posthog"] is Standing.MISSED


def test_otel_is_left_to_its_own_variables_which_the_file_may_add_to() -> None:
    config = read(
        """
        environment_variables: {OTEL_ENDPOINT: "http://h:4318"}
        litellm_settings: {callbacks: [otel]}
        """,
        OTEL_SERVICE_NAME="gateway",
    )

    assert config.settings.sinks.otel == OtelSettings()
    assert config.report.hosts == ("h:4318",)
    assert config.environ == {"OTEL_ENDPOINT": "http://h:4318", "OTEL_SERVICE_NAME": "gateway"}


@pytest.mark.parametrize(
    ("name", "environ", "host"),
    [
        ("langfuse", {}, None),
        ("langfuse", {"LANGFUSE_HOST": "lf.example"}, "https://lf.example"),
        (
            "langfuse",
            {"LANGFUSE_BASE_URL": "http://b", "LANGFUSE_OTEL_HOST": "http://o"},
            "http://b",
        ),
        (
            "langfuse_otel",
            {"LANGFUSE_HOST": "http://h", "LANGFUSE_OTEL_HOST": "http://o"},
            "http://o",
        ),
        ("langfuse_otel", {}, "https://us.cloud.langfuse.com"),
    ],
)
def test_langfuse_is_where_its_variables_say(
    name: str, environ: dict[str, str], host: str | None
) -> None:
    langfuse = callbacks(f"callbacks: [{name}]", **KEYS, **environ).settings.sinks.langfuse

    assert langfuse is not None
    assert langfuse.host == host


def test_variables_of_the_file_count_like_the_environments() -> None:
    config = read(
        """
        environment_variables: {LANGFUSE_PUBLIC_KEY: pk, LANGFUSE_SECRET_KEY: sk}
        litellm_settings: {callbacks: langfuse}
        """
    )

    assert config.settings.sinks.langfuse is not None


def test_words_are_kept_from_tools_where_message_logging_is_off() -> None:
    text = "callbacks: [langfuse, otel], turn_off_message_logging: true"
    config = read(
        f"litellm_settings: {{{text}}}\nunderstudy: {{sinks: {{otel: {{capture: content}}}}}}",
        OTEL_ENDPOINT="http://h",
        **KEYS,
    )

    langfuse, otel = config.settings.sinks.langfuse, config.settings.sinks.otel
    assert langfuse is not None
    assert otel is not None
    assert (langfuse.capture, otel.capture) == ("metadata", "content")


def test_our_own_section_stands_and_is_completed() -> None:
    config = read(
        """
        litellm_settings: {success_callback: [langfuse, s3]}
        understudy:
          sinks:
            langfuse: {host: "http://own", environment: staging, hears: all, capture: redacted}
            bucket: {url: "file:///srv/calls"}
          redaction: {patterns: [{pattern: a}]}
        """,
        **KEYS,
        LANGFUSE_HOST="http://other",
        LANGFUSE_TRACING_ENVIRONMENT="production",
    )

    langfuse, bucket = config.settings.sinks.langfuse, config.settings.sinks.bucket
    assert langfuse is not None
    assert (langfuse.host, langfuse.environment, langfuse.hears, langfuse.capture) == (
        "http://own",
        "staging",
        "all",
        "redacted",
    )
    assert langfuse.public_key == "pk-1"
    assert bucket == BucketSettings("file:///srv/calls", hears="successes")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "understudy: {sinks: {langfuse: {}}}",
            "understudy.sinks.langfuse: LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY not set",
        ),
        ("understudy: {sinks: {bucket: {}}}", "understudy.sinks.bucket: url is missing"),
        (
            "understudy: {sinks: {otel: {endpont: x}}}",
            "understudy.sinks.otel.endpont: there is no such key; did you mean 'endpoint'?",
        ),
        ("understudy: {sinks: {otel: 1}}", "understudy.sinks.otel: must be a mapping (is 1)"),
        ("understudy: {sinks: 1}", "understudy.sinks: must be a mapping (is 1)"),
        (
            "understudy: {sinks: {otel: {capture: all}}}",
            "understudy.sinks.otel.capture: must be 'metadata', 'redacted' or 'content' (is 'all')",
        ),
        (
            'understudy: {redaction: {patterns: [{pattern: "(?=a)"}]}}',
            (
                "understudy.redaction.patterns[0].pattern: is no pattern that RE2 takes: "
                "invalid perl operator: (?= (is '(?=a)')"
            ),
        ),
        (
            "understudy: {redaction: {patterns: [{pattern: a}, {pattern: 'b*'}]}}",
            (
                "understudy.redaction.patterns[1].pattern: matches the empty text, and so "
                "everywhere (is 'b*')"
            ),
        ),
    ],
)
def test_what_is_wrong_with_a_sink_is_told_by_its_place(text: str, fault: str) -> None:
    assert faults(text) == [f"config.yaml:1: {fault}"]


def test_a_sink_that_redacts_by_nothing_is_mentioned() -> None:
    notes = read("understudy: {sinks: {otel: {capture: redacted, endpoint: h}}}").report.notes

    assert any(one.startswith("understudy.sinks.otel.capture is redacted") for one in notes)


def test_other_sinks_wait_for_another_start() -> None:
    one = "understudy: {sinks: {langfuse: {secret_key: %s}}, redaction: {labels: %s}}"

    before = read(one % ("a", "true"), LANGFUSE_PUBLIC_KEY="pk")
    after = read(one % ("b", "false"), LANGFUSE_PUBLIC_KEY="pk")

    assert find_waiting(before.settings, after.settings) == [
        "understudy.sinks.langfuse.secret_key",
        "understudy.redaction.labels",
    ]

"""Whose certificates count: `ssl_verify`, and what a start says of it."""

from pathlib import Path

import pytest

from understudy.server.config.reminders import remind, tell_expiry
from understudy.server.domain.deployment import Trust
from understudy.server.engine import trusted
from understudy.server.errors import ConfigError

from .reading import deployment, deployments, faults, read


@pytest.mark.parametrize(
    ("written", "trust"),
    [
        ("true", Trust()),
        ("false", Trust(verify=False)),
        ("'False'", Trust(verify=False)),
        ("/etc/ca.pem", Trust(ca_file="/etc/ca.pem")),
        ("os.environ/CA", Trust(ca_file="/etc/other.pem")),
        ("os.environ/NO", Trust(verify=False)),
        ("os.environ/UNSET", None),
        ("null", None),
    ],
)
def test_a_deployment_says_whose_certificates_count(written: str, trust: Trust | None) -> None:
    one = deployment(
        f"model: openai/x, api_key: k, ssl_verify: {written}", CA="/etc/other.pem", NO="false"
    )

    assert one.endpoint is not None
    assert one.endpoint.trust == trust
    assert "ssl_verify" not in one.defaults


@pytest.mark.parametrize("written", ["3", "[]", "''", "{a: b}"])
def test_what_says_nothing_is_a_fault(written: str) -> None:
    text = "model_list: [{model_name: g, litellm_params: {model: openai/x, ssl_verify: %s}}]"

    (fault,) = faults(text % written)

    assert fault.startswith("config.yaml:1: model_list[0].litellm_params.ssl_verify: must be true")


FILE = """
model_list:
  - {model_name: a, litellm_params: {model: openai/a, api_key: k}}
  - {model_name: b, litellm_params: {model: openai/b, api_key: k, ssl_verify: true}}
  - {model_name: c, litellm_params: {model: ollama/c}}
  - {model_name: d, litellm_params: {model: simulated/d}}
litellm_settings: {ssl_verify: false}
"""


def test_the_files_default_holds_where_a_deployment_says_nothing() -> None:
    config = read(FILE)

    verified = {
        one.group: one.endpoint.trust.verify
        for one in deployments(config)
        if one.endpoint is not None and one.endpoint.trust is not None
    }
    assert verified == {"a": False, "b": True, "c": False}
    assert all(key.why == "" for key in config.report.keys if "ssl_verify" in key.name)


def test_each_start_names_those_whose_certificates_are_not_verified() -> None:
    (told,) = remind(read(FILE).report, 0.0)

    assert told.startswith(
        "certificates are not verified (ssl_verify: false) for a (openai/a): whoever"
    )


def test_a_long_list_is_cut() -> None:
    item = "{model_name: g%d, litellm_params: {model: openai/x, api_key: k, ssl_verify: false}}"
    items = ", ".join(item % number for number in range(7))

    (told,) = remind(read(f"model_list: [{items}]").report, 0.0)

    assert "g4 (openai/x) and 2 more: whoever" in told


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (3 * 86400, "its token expires in 3 days"),
        (26 * 3600, "its token expires in 26 h"),
        (43 * 60 + 5, "its token expires in 43 min"),
        (61, "its token expires in 61 s"),
        (0, "its token has expired"),
        (-1, "its token has expired"),
    ],
)
def test_when_a_token_ends_is_told_in_words(left: float, words: str) -> None:
    assert tell_expiry(1000.0 + left, 1000.0) == words


def test_a_file_that_holds_no_certificate_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    params = "{model: openai/x, api_key: k, ssl_verify: %s}"
    text = f"model_list: [{{model_name: g, litellm_params: {params}}}]"

    for file, why in (("nowhere.pem", "No such file"), ("empty.pem", "it holds no certificate")):
        path = tmp_path / file
        with pytest.raises(ConfigError, match=why) as caught:
            trusted(read(text % path))
        assert str(caught.value).startswith(f"model group 'g': ssl_verify: cannot read {path}: ")


def test_so_does_that_of_the_service(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.pem"

    with pytest.raises(ConfigError, match=r"understudy.egress.ca_file: cannot read .*: No such"):
        trusted(read(f"understudy: {{egress: {{ca_file: {path}}}}}"))


def test_variables_for_certificates_are_ignored_and_that_is_said() -> None:
    notes = read("", SSL_CERT_FILE="/x", SSL_VERIFY="false").report.notes

    assert any(
        note.startswith("SSL_CERT_FILE, SSL_VERIFY set and ignored: write understudy.egress")
        for note in notes
    )

"""The section of ours: each key with its default, and every mistake by its line."""

from dataclasses import fields, is_dataclass
from hashlib import sha256

import pytest

from understudy.server.config.settings import Settings
from understudy.server.domain.access import Role

from .reading import FILES, faults, read

DIGEST = sha256(b"a key").hexdigest()


def test_an_empty_file_means_the_defaults() -> None:
    assert read("").settings == read("understudy:").settings == Settings()


def test_the_defaults_are_those_that_are_documented() -> None:
    settings = read((FILES / "every_key.yaml").read_text()).settings

    assert settings == Settings()


def test_every_setting_has_a_place_in_the_documented_section() -> None:
    text = (FILES / "every_key.yaml").read_text()

    def names(kind: type) -> list[str]:
        assert is_dataclass(kind)
        return [one.name for one in fields(kind)]

    tops = [name for name in names(Settings) if f"  {name}:" not in text]
    below = [
        name
        for one in fields(Settings)
        if is_dataclass(one.default) and not isinstance(one.default, type)
        for name in names(type(one.default))
        if f"{name}:" not in text
    ]
    assert (tops, below) == ([], [])


def test_settings_are_read_in_their_units() -> None:
    settings = read(
        """
        understudy:
          server: {port: 0, default_timeout: 2m, max_message_bytes: 1MiB, reflection: on,
                   drain: {delay: 0, grace: 500ms}}
          egress: {proxy: "http://proxy:3128", no_proxy: [localhost], ca_file: /ca.pem}
          mirror: {budget: {usd: 2.5, per: 30d}}
          records: {capture: redacted}
          accept_ignored: [guardrails]
        """
    ).settings

    server = settings.server
    assert (server.port, server.default_timeout, server.max_message_bytes) == (0, 120.0, 2**20)
    assert (server.reflection, server.drain.delay, server.drain.grace) == ("on", 0.0, 0.5)
    assert settings.egress.proxy == "http://proxy:3128"
    assert settings.mirror.budget.per == 30 * 86400
    assert settings.accept_ignored == ("guardrails",)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("server: {prot: 1}", "server.prot: there is no such key; did you mean 'port'?"),
        ("sever: {}", "sever: there is no such key; did you mean 'server'?"),
        ("server: {drain: {delai: 1s}}", "server.drain.delai: there is no such key; did you mean"),
        ("server: {port: 70000}", "server.port: must be between 0 and 65535; 0 is a free port"),
        ("server: {port: true}", "server.port: must be a number (is true)"),
        ("server: {drain: {delay: -1}}", "server.drain.delay: must not be negative (is -1)"),
        ("server: {default_timeout: 0}", "server.default_timeout: must be more than 0 (is 0)"),
        ("server: {max_message_bytes: 2GiB}", "server.max_message_bytes: must be less than 2GiB"),
        ("server: {workers: 0}", "server.workers: must be 1 or more (is 0)"),
        ("server: {insecure: 7}", "server.insecure: must be true or false (is 7)"),
        ("server: {reflection: maybe}", "server.reflection: must be 'auto', 'on' or 'off'"),
        ("server: 5", "server: must be a mapping (is 5)"),
        ("server: {allowed_endpoints: a}", "server.allowed_endpoints: must be a list (is 'a')"),
        ("records: {capture: contnet}", "records.capture: must be 'metadata', 'redacted' or 'cont"),
        ("mirror: {max_queue_bytes: 64 M}", "mirror.max_queue_bytes: must be a size such as"),
        ("state_dir: 7", "state_dir: must be text; put it in quotes (is 7)"),
        ("metrics: {port: os.environ/LOST}", "metrics.port: the variable LOST is not set"),
        ("experiments: {seeds: [1]}", "experiments.seeds[0]: must be a mapping (is 1)"),
        ("server: {tls: {cert_file: a}}", "server.tls: cert_file and key_file come together"),
        ("server: {tls: {client_ca_file: a}}", "server.tls: client_ca_file needs cert_file"),
        (
            "server: {tls: {clients: [{subject: a, roles: [caller]}]}}",
            "server.tls.clients: needs client_ca_file",
        ),
    ],
)
def test_a_mistake_is_told_with_line_path_and_remedy(line: str, expected: str) -> None:
    (fault,) = faults(f"\nunderstudy:\n  {line}\n")

    assert fault.startswith(f"config.yaml:3: understudy.{expected}")


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines() -> None:
    found = faults(
        """\
        understudy:
          mirror: {threads: 0}
          server: {port: x}
          nothing: 1
        """
    )

    assert [fault.split(": ")[0] for fault in found] == [f"config.yaml:{n}" for n in (2, 3, 4)]


def test_keys_come_with_their_roles_and_what_these_imply() -> None:
    (key,) = read(
        f"""
        understudy:
          server: {{api_keys: [{{name: ops, sha256: {DIGEST.upper()}, roles: [operator]}}]}}
        """
    ).settings.server.api_keys

    assert key.sha256 == DIGEST
    assert key.identity.name == "ops"
    assert key.identity.roles == {Role.OPERATOR, Role.VIEWER, Role.CALLER}


def test_certificates_are_known_by_their_subject() -> None:
    (client,) = read(
        """
        understudy:
          server:
            tls: {cert_file: c, key_file: k, client_ca_file: a,
                  clients: [{subject: billing.internal, roles: [caller]}]}
        """
    ).settings.server.tls.clients

    assert (client.subject, client.identity.name) == ("billing.internal", "billing.internal")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (f"sha256: {DIGEST}, roles: [caller]", "api_keys[0].name: is missing"),
        ("name: a, roles: [caller]", "api_keys[0].sha256: is missing"),
        (f"name: a, sha256: {DIGEST}", "api_keys[0].roles: is missing"),
        (f"name: a, sha256: {DIGEST}, roles: []", "api_keys[0].roles: must name at least one of"),
        (f"name: a, sha256: {DIGEST}, roles: [boss]", "api_keys[0].roles[0]: must be 'caller'"),
        (f"name: a, sha256: {DIGEST}, roles: [caller], key: b", "api_keys[0].key: there is no"),
        (
            "name: a, sha256: sk-1, roles: [caller]",
            "api_keys[0].sha256: must be the 64 hexadecimal",
        ),
    ],
)
def test_a_key_must_be_whole(entry: str, expected: str) -> None:
    (fault,) = faults(f"understudy: {{server: {{api_keys: [{{{entry}}}]}}}}")

    assert f"understudy.server.{expected}" in fault
    assert "sk-1" not in fault


def test_two_keys_cannot_share_name_or_digest() -> None:
    entry = f"{{name: a, sha256: {DIGEST}, roles: [caller]}}"
    found = faults(f"understudy: {{server: {{api_keys: [{entry}, {entry}]}}}}")

    assert len(found) == 2


def test_the_section_is_refused_in_an_unknown_shape() -> None:
    assert faults("understudy: [1]") == ["config.yaml:1: understudy: must be a mapping (is a list)"]

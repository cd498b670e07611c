"""Arguments come first, then the environment, then defaults."""

from collections.abc import Mapping
from typing import Any

import pytest

from understudy.client import Client, PlaintextKeyWarning, Tls
from understudy.client.settings import DEFAULT_TIMEOUT, Settings, read_settings

ENVIRONMENT = {
    "UNDERSTUDY_TARGET": "env:1",
    "UNDERSTUDY_API_KEY": "env-key\n",
    "UNDERSTUDY_CA_FILE": "env.pem",
    "UNDERSTUDY_TIMEOUT": "7.5",
}


def read(environment: Mapping[str, str], **given: Any) -> Settings:
    arguments = {"target": None, "api_key": None, "tls": None, "timeout": None, **given}
    return read_settings(**arguments, environment=environment)


def test_defaults_reach_a_demo() -> None:
    settings = read({})

    assert settings.target.text == "localhost:50051"
    assert (settings.api_key, settings.tls, settings.timeout) == (None, None, DEFAULT_TIMEOUT)


def test_the_environment_comes_before_defaults() -> None:
    settings = read(ENVIRONMENT)

    assert settings.target.text == "env:1"
    assert settings.api_key == "env-key"
    assert settings.tls == Tls(ca_file="env.pem")
    assert settings.timeout == 7.5


def test_arguments_come_before_the_environment() -> None:
    settings = read(ENVIRONMENT, target="a:2", api_key="k", tls=False, timeout=1)

    assert settings.target.text == "a:2"
    assert (settings.api_key, settings.tls, settings.timeout) == ("k", None, 1.0)


def test_an_empty_key_is_none() -> None:
    assert read(ENVIRONMENT, api_key="").api_key is None
    assert read({"UNDERSTUDY_API_KEY": ""}).api_key is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (True, Tls()),
        (Tls(server_name="s"), Tls(server_name="s")),
        ({"cert_file": "c", "key_file": "k"}, Tls(cert_file="c", key_file="k")),
    ],
)
def test_tls_is_given_in_three_ways(given: Any, expected: Tls) -> None:
    assert read({}, tls=given).tls == expected


def test_a_certificate_needs_its_key() -> None:
    with pytest.raises(ValueError, match="cert_file and key_file"):
        Tls(cert_file="c")


def test_a_list_of_hosts_under_tls_needs_one_name() -> None:
    assert read({}, target="a:1,a:2", tls=True).tls == Tls()
    assert read({}, target="a:1,b:1", tls=Tls(server_name="s")).tls is not None
    with pytest.raises(ValueError, match="server_name"):
        read({}, target="a:1,b:1", tls=True)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_timeout_is_finite_and_above_zero(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        read({}, timeout=timeout)


@pytest.mark.parametrize("text", ["0", "soon", "inf", "nan", "-1"])
def test_a_timeout_of_the_environment_is_named_as_such(text: str) -> None:
    with pytest.raises(ValueError, match="UNDERSTUDY_TIMEOUT"):
        read({"UNDERSTUDY_TIMEOUT": text})


def test_a_key_is_not_shown() -> None:
    assert "canary" not in repr(read({}, api_key="canary"))


def test_a_key_that_goes_out_unencrypted_is_warned_of() -> None:
    with pytest.warns(PlaintextKeyWarning, match="understudy.example:1") as warned:
        Client("understudy.example:1", api_key="canary")

    assert warned[0].filename == __file__
    assert "canary" not in str(warned[0].message)


@pytest.mark.parametrize(
    ("target", "given"),
    [
        ("localhost:1", {}),
        ("unix:/x", {}),
        ("understudy.example:1", {"tls": True}),
        ("understudy.example:1", {"insecure": True}),
    ],
)
def test_nothing_is_warned_of_where_the_key_is_safe_or_it_is_meant(
    target: str, given: dict[str, Any]
) -> None:
    Client(target, api_key="k", **given).close()

"""LiteLLM's master key opens everything here too, and a lost one opens nothing."""

from hashlib import sha256

from understudy.server.domain.access import Role

from .reading import faults, read


def test_the_master_key_is_an_operator_that_reads() -> None:
    for text in ("sk-1234", "os.environ/KEY"):
        (key,) = read(
            f"general_settings: {{master_key: {text}}}", KEY="sk-1234"
        ).settings.server.api_keys

        assert key.sha256 == sha256(b"sk-1234").hexdigest()
        assert key.identity.name == "master_key"
        assert key.identity.roles == frozenset(Role)


def test_a_master_key_whose_variable_is_missing_is_a_fault() -> None:
    (fault,) = faults("\ngeneral_settings:\n  master_key: os.environ/LOST\n")

    assert fault.startswith("config.yaml:3: general_settings.master_key: the variable LOST is not")
    assert faults("general_settings: {master_key: os.environ/LOST}", {"LOST": ""})


def test_a_master_key_that_nobody_can_send_is_a_fault() -> None:
    for key in ("'schlüssel'", "' sk'", "5", '"a\\nb"', "''"):
        (fault,) = faults(f"general_settings: {{master_key: {key}}}")

        assert fault.startswith("config.yaml:1: general_settings.master_key: must be")


def test_no_master_key_means_no_key() -> None:
    assert read("general_settings: {master_key: null}").settings.server.api_keys == ()


def test_a_master_key_that_nobody_configured_is_mentioned() -> None:
    (note, *_) = read("", LITELLM_MASTER_KEY="x").report.notes

    assert note.startswith("LITELLM_MASTER_KEY is set and not used")

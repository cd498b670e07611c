"""Files as LiteLLM's users have them load whole; what cannot be used says why."""

import pytest

from understudy.server.config import load, refusals
from understudy.server.domain.deployment import SilentModel

from .reading import FILES, deployments

ENVIRON = {
    "AZURE_API_BASE": "https://mine.openai.azure.com",
    "AZURE_API_KEY": "azure",
    "OPENAI_API_KEY": "openai",
    "HUGGINGFACE_API_KEY": "hf",
    "LITELLM_MASTER_KEY": "sk-master",
}


def test_the_quick_start_of_mirroring_loads_as_it_is() -> None:
    config = load(FILES / "mirroring_quick_start.yaml", ENVIRON)

    primary, silent = deployments(config)
    assert primary.silent_models == (SilentModel("gpt-4"),)
    assert (primary.provider, primary.model) == ("azure", "chatgpt-v-2")
    assert (silent.provider, silent.model) == ("openai", "gpt-4")
    assert refusals(config) == []


def test_the_split_of_the_tutorial_loads_as_it_is() -> None:
    config = load(FILES / "split_test.yaml", ENVIRON)

    assert [one.share for one in config.report.deployments] == pytest.approx([0.8, 0.2])
    assert [one.key for one in config.report.deployments] == [
        "OPENAI_API_KEY",
        "HUGGINGFACE_API_KEY",
    ]
    assert refusals(config) == []


def test_a_file_of_years_loads_and_says_what_it_would_lose() -> None:
    config = load(FILES / "production.yaml", ENVIRON)

    snapshot = config.snapshot
    assert list(snapshot.groups) == [
        "gpt-4o",
        "gpt-4o-mini",
        "embeddings",
        "claude",
        "local",
    ]
    first = snapshot.groups["gpt-4o"].tiers[0].deployments[0]
    assert first.id == "us"
    assert first.endpoint is not None
    assert first.endpoint.url.endswith(
        "/deployments/gpt-4o-us/chat/completions?api-version=2024-06-01"
    )
    assert snapshot.aliases == {"gpt-4": "gpt-4o", "gpt-4-secret": "gpt-4o"}
    assert snapshot.fallbacks == {"gpt-4o": ("gpt-4o-mini",), "*": ("local", "claude")}
    mini = snapshot.groups["gpt-4o-mini"].deployments[0]
    assert mini.defaults == {"temperature": 0.1, "extra_body": {"safety_identifier": "team-a"}}
    lost = {line.split(" ")[1] for line in refusals(config)}
    assert {"guardrails", "litellm_settings.cache"} <= lost
    assert (first.allowed_fails, first.cooldown_time) == (3, 30.0)


def test_a_wild_file_loads_and_every_deployment_says_why_it_cannot_be_asked() -> None:
    config = load(FILES / "wild.yaml", {})

    assert len(config.report.deployments) == 17
    assert all(one.unusable for one in config.report.deployments)
    assert refusals(config) == []

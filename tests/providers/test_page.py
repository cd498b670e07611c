"""The page for users says what the code does."""

import re
from pathlib import Path

from understudy.server.providers.families import NOT_HERE, SPOKEN
from understudy.server.providers.features import Feature
from understudy.server.providers.page import features_of, render_page

from ..config.reading import deployments, read

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == render_page(), "run: understudy providers --format md > " + str(PAGE)


def test_every_provider_every_variable_and_every_feature_is_on_it() -> None:
    page = render_page()

    for name, family in SPOKEN.items():
        if name != "simulated":
            assert f"| `{name}/` |" in page
        assert all(f"`{variable}`" in page for variable in (*family.keys, *family.bases))
    assert all(f"`{name}`" in page for name in NOT_HERE)
    assert all(f"| {feature} |" in page for feature in Feature)


def test_every_provider_takes_a_system_prompt() -> None:
    assert all(Feature.SYSTEM in features_of(name) for name in SPOKEN if name != "simulated")


def test_the_examples_work() -> None:
    proxy, ours = re.findall(r"```yaml\n(.*?)```", render_page(), re.DOTALL)

    assert "bedrock/" in proxy
    assert {one.unusable for one in deployments(read(ours, LITELLM_PROXY_API_KEY="k"))} == {""}
    for one in deployments(read(proxy, LITELLM_PROXY_API_KEY="k")):
        assert "is not spoken here; keep it behind litellm_proxy/" in one.unusable

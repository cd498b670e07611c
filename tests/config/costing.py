"""Configurations of one deployment with a price, for tests of prices."""

import pytest

from understudy.server.config import Config, parse
from understudy.server.domain.completion import (
    Usage,
)
from understudy.server.domain.costs import Cost
from understudy.server.errors import ConfigError
from understudy.server.pricing.charging import cost_of

from .reading import deployments

AT = 1_793_491_200_000_000  # 2026-11-01
EARLIER = 1_735_689_600_000_000  # 2025-01-01
OPENAI = "model: openai/gpt-4o, api_key: k"
OTHER = "model: openai/x, api_base: http://127.0.0.1:1/v1"
CALL = Usage(1_000, 100, 1_100)


def config(
    params: str, *, info: str = "", prices: str | None = None, file: str = "p.yaml"
) -> Config:
    """Return the configuration of a deployment `d` in group `g`, perhaps with a price list."""
    section = "" if prices is None else f"understudy: {{prices: {{file: {file}}}}}\n"
    text = (
        f"{section}model_list: [{{model_name: g, litellm_params: {{{params}}}, "
        f"model_info: {{id: d, {info}}}}}]"
    )

    def read_list(name: str) -> str:
        assert name == file
        assert prices is not None
        return prices

    return parse(text, "config.yaml", {}, read_list)


def cost(found: Config, usage: Usage = CALL, at: int = AT, latency: int = 2_000_000) -> Cost:
    """Return what a call to the one deployment costs."""
    return cost_of(usage, deployments(found)[0].price, at, latency)


def told(found: Config) -> str:
    """Return what is reported of the one deployment's price."""
    return found.report.deployments[0].price


def faults_of(prices: str, file: str = "p.yaml") -> list[str]:
    """Return the faults of a price list."""
    with pytest.raises(ConfigError) as caught:
        config(OPENAI, prices=prices, file=file)
    return caught.value.faults

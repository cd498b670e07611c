"""Shorthands for the tests of the configuration: parse a text, or collect its faults."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from understudy.server.config import Config, DeploymentReport, parse
from understudy.server.domain.deployment import Deployment
from understudy.server.errors import ConfigError

FILES = Path(__file__).parent / "files"


def read(text: str, **environ: str) -> Config:
    """Return the configuration of a text called config.yaml."""
    return parse(dedent(text), "config.yaml", environ)


def faults(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """Return the faults of a text called config.yaml; it must have some."""
    with pytest.raises(ConfigError) as caught:
        parse(dedent(text), "config.yaml", environ or {})
    return caught.value.faults


def deployments(config: Config) -> list[Deployment]:
    """Return every deployment, group by group."""
    return [one for group in config.snapshot.groups.values() for one in group.deployments]


def deployment(params: str, **environ: str) -> Deployment:
    """Return the one deployment with these litellm_params, in YAML's short form."""
    config = read(f"model_list: [{{model_name: g, litellm_params: {{{params}}}}}]", **environ)
    return deployments(config)[0]


def deployment_report(params: str, **environ: str) -> DeploymentReport:
    """Return what is reported of the one deployment with these litellm_params."""
    config = read(f"model_list: [{{model_name: g, litellm_params: {{{params}}}}}]", **environ)
    return config.report.deployments[0]

"""Writes configuration files for tests: JSON, which is YAML too."""

import json
from typing import Any

from ..stub.faultstub import FaultStub


def deployment(stub: FaultStub, group: str, mode: str = "ok", **params: Any) -> dict[str, Any]:
    """A deployment that the stub plays in the given mode."""
    return {
        "model_name": group,
        "litellm_params": {
            "model": f"openai/{mode}",
            "api_base": f"{stub.url}/v1",
            "api_key": "sk-test",
            **params,
        },
    }


def write(*deployments: dict[str, Any], **sections: Any) -> str:
    """A configuration file on a free port, without a dashboard unless it is asked for."""
    understudy = {
        "server": {"port": 0},
        "dashboard": {"enabled": False},
        **sections.pop("understudy", {}),
    }
    return json.dumps({"model_list": list(deployments), **sections, "understudy": understudy})

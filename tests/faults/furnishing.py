"""The configuration of a house: for each case a group that misbehaves, and one beside a silent one.

Each silent model has a key of its own, for what one says of its quota holds for all who share it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from .cases import CASES, Case
from .yard import Yard, new_host

Side = Literal["primary", "silent"]
SIDES: tuple[Side, ...] = ("primary", "silent")

TIMEOUT = 0.5  # seconds for an attempt, and for a silent call
WELL = "well"  # answers
WELL_MIRRORED = "well-mirrored"  # answers, and so does its silent model
PATIENT = "patient"  # never answers, and is waited for
KEY = "sk-canary"  # how every key begins

_ANSWER = "words-20"
_LONG = 30  # seconds


def group_of(case: Case, side: Side) -> str:
    """Return the group to ask: one that misbehaves, or a healthy one beside a silent one."""
    return f"{'case' if side == 'primary' else 'beside'}-{CASES.index(case)}"


def silent_group(case: Case) -> str:
    """Return the silent model that misbehaves."""
    return f"silent-{CASES.index(case)}"


def furnish(yard: Yard, folder: Path) -> str:
    """Return the configuration file."""
    return json.dumps(
        {
            "model_list": list(_deployments(yard)),
            "router_settings": {"num_retries": 0},
            "understudy": {
                "server": {"port": 0},
                "state_dir": str(folder / "state"),
                "records": {"flush": "50ms"},
                # A case that keeps the loop busy shall not thin out the next one's copies.
                "mirror": {"timeout": f"{TIMEOUT}s", "yield_at": "off"},
            },
        }
    )


def _deployments(yard: Yard) -> Iterator[dict[str, object]]:
    well = yard.well.url
    yield _deployment(WELL, _ANSWER, well, timeout=_LONG)
    yield _deployment(WELL_MIRRORED, _ANSWER, well, timeout=_LONG, silent_model="well-silent")
    yield _deployment("well-silent", _ANSWER, well)
    yield _deployment(PATIENT, "hang-headers", yard.origins[CASES[0].at], timeout=_LONG)
    for case in CASES:
        origin, silent = yard.origins[case.at], silent_group(case)
        yield _deployment(group_of(case, "primary"), case.mode, new_host(origin))
        beside = group_of(case, "silent")
        yield _deployment(beside, _ANSWER, well, timeout=_LONG, silent_model=silent)
        yield _deployment(silent, case.mode, new_host(origin))


def _deployment(group: str, mode: str, origin: str, **more: object) -> dict[str, object]:
    params = {
        "model": f"openai/{mode}",
        "api_base": f"{origin}/v1",
        "api_key": f"{KEY}-{group}-0123456789abcdef",
        "timeout": TIMEOUT,
        "stream_timeout": TIMEOUT,
        **more,
    }
    return {"model_name": group, "litellm_params": params}

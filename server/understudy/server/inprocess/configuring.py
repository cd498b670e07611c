"""Turns the arguments of a Router into the configuration that a file with the same would give.

One reader for both, `config`: so a key means here what it means there, is refused for the same
reason and at the same path. Only the places differ, as arguments have no lines.
"""

import enum
import logging
import warnings
from collections.abc import Mapping, Sequence
from typing import Final, cast

import yaml

from understudy.server.config import Config, Standing, parse, refusals
from understudy.server.errors import ConfigError

_LOG = logging.getLogger(__name__)

_FILE: Final = "Router"
_PLACE: Final = f"{_FILE}:1: "  # everything is written on one line
_ROUTER_SETTINGS: Final = "router_settings"
_DEEPEST: Final = 40  # levels; what holds itself has no end

Plain = str | int | float | bool | list["Plain"] | dict[str, "Plain"] | None


class IgnoredArgumentWarning(UserWarning):
    """An argument of a Router comes to nothing."""


def read_config(
    model_list: object,
    router_settings: Mapping[str, object],
    understudy: Mapping[str, object] | None,
    environ: Mapping[str, str],
    *,
    allow_unusable: bool = False,
) -> Config:
    """Return the configuration that the arguments of a Router come to.

    Raises ConfigError, with the path of each fault, for what is malformed and for what protected
    or recorded something and would be ignored. No fault repeats a credential.
    """
    text = _write(
        {
            "model_list": _plain(model_list, "model_list", 0),
            _ROUTER_SETTINGS: _plain(router_settings, _ROUTER_SETTINGS, 0),
            "understudy": _plain(understudy, "understudy", 0),
        }
    )
    try:
        config = parse(text, _FILE, environ)
    except ConfigError as error:
        raise _without_places(error.faults) from None
    if refused := refusals(config, allow_unusable=allow_unusable):
        raise _without_places(refused)
    for note in config.report.notes:
        _LOG.info("%s", note.removeprefix(_PLACE))
    return config


def warn_of_ignored(config: Config, given: Mapping[str, object], stacklevel: int) -> None:
    """Warn of arguments that come to nothing, each by its name.

    Python shows a warning once for each place, so that a Router made again says nothing new.
    """
    for key in config.report.keys:
        section, _, name = key.name.partition(".")
        argument = name.partition(".")[0]
        if section != _ROUTER_SETTINGS or key.standing is not Standing.IGNORED:
            continue
        if given.get(argument) is not False:  # said only to be off
            warnings.warn(
                f"Router ignores {name}: {key.why}",
                IgnoredArgumentWarning,
                stacklevel=stacklevel + 1,
            )


def _without_places(faults: Sequence[str]) -> ConfigError:
    return ConfigError([fault.removeprefix(_PLACE) for fault in faults])


def _write(document: Mapping[str, Plain]) -> str:
    """Return the document on one line of YAML. JSON would not do: 1e-05 is text in YAML."""
    return yaml.safe_dump(
        document, default_flow_style=True, width=float("inf"), sort_keys=False, allow_unicode=False
    )


def _plain(value: object, path: str, depth: int) -> Plain:
    """Return a value as a file could hold it. Raises ConfigError for any other."""
    if isinstance(value, enum.Enum):
        value = value.value
    if depth > _DEEPEST:
        raise ConfigError([f"{path}: is nested deeper than {_DEEPEST} levels, or holds itself"])
    if value is None or isinstance(value, bool):
        return value
    # Copied into the plain types, because YAML has no word for a subclass of theirs.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return _plain_mapping(cast("Mapping[object, object]", value), path, depth)
    if isinstance(value, list | tuple):
        items = cast("Sequence[object]", value)
        return [_plain(one, f"{path}[{index}]", depth + 1) for index, one in enumerate(items)]
    raise ConfigError(
        [f"{path}: must be text, a number, a truth value, a list or a dict (is {_kind(value)})"]
    )


def _plain_mapping(value: Mapping[object, object], path: str, depth: int) -> dict[str, Plain]:
    found: dict[str, Plain] = {}
    for key, one in value.items():
        if not isinstance(key, str):
            raise ConfigError([f"{path}: has a key that is no text (is {_kind(key)})"])
        # Not given is what None says, to a Router as to a file.
        if one is not None:
            found[str.__str__(key)] = _plain(one, f"{path}.{key}", depth + 1)
    return found


def _kind(value: object) -> str:
    return f"of type {type(value).__name__}"

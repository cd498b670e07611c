"""Reads a configuration whole: LiteLLM's file with what it includes, and the section of ours.

`load` reads files; `parse`, beneath it, is pure. Either returns a Config, or raises ConfigError
with every fault there is.
"""

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from understudy.server.config.aliases import ALIASES, name_groups, read_aliases
from understudy.server.config.allowed import allow_named
from understudy.server.config.callbacks import Callbacks
from understudy.server.config.credentials import MASTER_KEY, HiddenError, master_key
from understudy.server.config.defaults import Defaults, preferred, read_defaults
from understudy.server.config.deployments import Placed, read_deployments
from understudy.server.config.document import LARGEST_FILE, Node
from understudy.server.config.fallbacks import ANY, FallbackReader
from understudy.server.config.faults import Faults
from understudy.server.config.fields import Fields
from understudy.server.config.findings import Findings
from understudy.server.config.includes import ReadFile, read_with_includes
from understudy.server.config.notes import note_environment, note_redaction, note_routes
from understudy.server.config.price_lists import PriceList, read_price_list
from understudy.server.config.prices import PriceFinder
from understudy.server.config.report import Report, report_deployments, report_keys
from understudy.server.config.section import SECTION, read_section
from understudy.server.config.seeds import read_seeds
from understudy.server.config.settings import Settings
from understudy.server.config.sink_hosts import sink_hosts
from understudy.server.config.variables import extended, substitute
from understudy.server.domain.deployment import ModelGroup, Snapshot
from understudy.server.errors import ConfigError
from understudy.server.experiments.documents import Document
from understudy.server.routing.groups import build_group, find_group

FIRST_REVISION = 1

_PRICE_FILE = (SECTION, "prices", "file")
_LARGEST_PRICES = 16 * 1024 * 1024  # LiteLLM's map of models has 3 MB


@dataclass(frozen=True, slots=True)
class Source:
    """The texts that a configuration was read from, those of included files by their names."""

    file: str = ""
    text: str = field(default="", repr=False)  # these may hold keys
    included: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration: what requests see, how the service runs, and what became of the file.

    `seeds` are experiments to create where there are none of these ids; `environ` is the
    environment with what the file adds to it, and may hold keys.
    """

    snapshot: Snapshot
    settings: Settings
    report: Report
    seeds: tuple[Document, ...] = ()
    source: Source = Source()
    environ: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """Return the configuration of a file.

    Raises ConfigError, its faults located by the file's bare name.
    """
    try:
        text = _read(path)
    except OSError as error:
        raise ConfigError([f"cannot read {path}: {error.strerror}"]) from error
    except ValueError as error:
        raise ConfigError([f"cannot read {path}: it is no UTF-8 text"]) from error
    return parse(text, path.name, environ, lambda name: _read(path.parent / name))


def _no_file(name: str) -> str:
    raise FileNotFoundError(name)


def parse(text: str, file: str, environ: Mapping[str, str], read: ReadFile = _no_file) -> Config:
    """Return the configuration of a text. `read` returns the text of an included file.

    Raises ConfigError and nothing else, whatever the text.
    """
    faults, findings = Faults(), Findings()
    included: dict[str, str] = {}

    def read_once(name: str) -> str:
        included[name] = read(name)
        return included[name]

    raw = read_with_includes(text, file, read_once, faults, findings)
    environ = extended(environ, raw.at("environment_variables"))
    root = _substituted(raw, environ)
    top = Fields(root, "", faults)
    router, litellm = top.mapping("router_settings"), top.mapping("litellm_settings")
    settings = _with_master_key(
        read_section(root.at(SECTION) or root.with_value(None), faults),
        top.mapping("general_settings"),
    )
    settings = _with_sinks(settings, top, Callbacks(litellm, environ, findings))
    defaults = read_defaults(router, litellm, findings)
    own = _read_price_list(settings.prices.file, read_once, root, faults)
    placed = read_deployments(
        top, defaults, router.mapping(ALIASES).values, environ, PriceFinder(own)
    )
    groups = _grouped(placed)
    snapshot = _read_snapshot(groups, defaults, router, litellm, findings)
    named = allow_named(
        settings.server.allowed_endpoints, defaults, environ, root, faults, findings
    )
    snapshot = replace(snapshot, named=named)
    seeds = read_seeds(root.at(SECTION), partial(find_group, snapshot), faults)
    faults.raise_any()
    note_environment(environ, root, settings, findings)
    note_redaction(settings, findings)
    note_routes(groups, findings)
    report = _report(root, groups, placed, settings, environ, findings)
    return Config(snapshot, settings, report, seeds, Source(file, text, included), environ)


def _read(path: Path) -> str:
    with path.open("rb") as file:
        most = _LARGEST_PRICES if path.suffix == ".json" else LARGEST_FILE
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"larger than {LARGEST_FILE} bytes")
    return data.decode("utf-8-sig")


def _read_price_list(
    file: str | None, read: ReadFile, root: Node, faults: Faults
) -> PriceList | None:
    if file is None:
        return None
    node = root
    for step in _PRICE_FILE:
        node = node.at(step) or node
    path = ".".join(_PRICE_FILE)
    try:
        return read_price_list(read(file), file, faults)
    except OSError as error:
        faults.add(node, path, f"cannot read {file!r}: {error.strerror or 'no such file'}")
    except ConfigError as error:
        faults.adopt(error)
    except ValueError:
        faults.add(node, path, f"cannot read {file!r}: it is no UTF-8 text")
    return None


def _substituted(raw: Node, environ: Mapping[str, str]) -> Node:
    assert isinstance(raw.value, Mapping)
    return raw.with_value(
        {
            name: substitute(node, environ, in_lists=name == SECTION)
            for name, node in raw.value.items()
        }
    )


def _with_master_key(settings: Settings, general: Fields) -> Settings:
    """Return the settings with LiteLLM's master key among the keys."""
    node = general.values.get(MASTER_KEY)
    if node is None or (node.value is None and not node.variable):
        return settings
    if node.value is None:
        general.fault(
            MASTER_KEY, f"the variable {node.variable} is not set; without it anybody gets in"
        )
        return settings
    value = general.text(MASTER_KEY)
    if value is None:
        return settings
    try:
        key = master_key(value)
    except HiddenError as error:
        general.fault(MASTER_KEY, str(error))
        return settings
    server = settings.server
    if any(
        key.sha256 == one.sha256 or key.identity.name == one.identity.name
        for one in server.api_keys
    ):
        general.fault(MASTER_KEY, "is among understudy.server.api_keys too")
    return replace(settings, server=replace(server, api_keys=(*server.api_keys, key)))


def _with_sinks(settings: Settings, top: Fields, callbacks: Callbacks) -> Settings:
    """Return the settings with the sinks that LiteLLM's part names, and with their variables."""
    node = (top.node.at(SECTION) or top.node).at("sinks")
    if node is None or not isinstance(node.value, Mapping):
        node = top.node.with_value(None)  # that it is wrong was said already
    section = Fields(node, f"{SECTION}.sinks", top.faults)
    return replace(settings, sinks=callbacks.complete(settings.sinks, section))


def _grouped(placed: list[Placed]) -> dict[str, ModelGroup]:
    members: dict[str, list[Placed]] = {}
    for one in placed:
        members.setdefault(one.deployment.group, []).append(one)
    return {
        name: build_group(name, [one.deployment for one in group])
        for name, group in members.items()
    }


def _read_snapshot(
    groups: Mapping[str, ModelGroup],
    defaults: Defaults,
    router: Fields,
    litellm: Fields,
    findings: Findings,
) -> Snapshot:
    aliases = read_aliases(router, groups, findings)
    names = name_groups(groups, aliases, findings)

    reader = FallbackReader(names, findings)

    def fallbacks(key: str) -> dict[str, tuple[str, ...]]:
        return reader.read(preferred(key, router, litellm, findings), key)

    general = fallbacks("fallbacks")
    key = "default_fallbacks"
    if others := reader.read_default(preferred(key, router, litellm, findings), key):
        general[ANY] = (*general.get(ANY, ()), *others)
    return Snapshot(
        revision=FIRST_REVISION,
        groups={name: names[name] for name in groups},
        aliases={name: one for name, one in aliases.targets.items() if name not in groups},
        hidden_aliases=aliases.hidden.difference(groups),
        num_retries=defaults.num_retries,
        retry_after=defaults.retry_after,
        fallbacks=general,
        context_window_fallbacks=fallbacks("context_window_fallbacks"),
        content_policy_fallbacks=fallbacks("content_policy_fallbacks"),
        max_fallbacks=defaults.max_fallbacks,
    )


def _report(
    root: Node,
    groups: Mapping[str, ModelGroup],
    placed: list[Placed],
    settings: Settings,
    environ: Mapping[str, str],
    findings: Findings,
) -> Report:
    keys = report_keys(root, findings.found, frozenset(settings.accept_ignored))
    named = {key.name for key in keys}
    for name in settings.accept_ignored:
        if name not in named:
            findings.note(f"accept_ignored: nothing in the file is called {name!r}")
    deployments = report_deployments(groups, placed)
    hosts = {host for one in deployments for host in (one.host, one.login_host) if host}
    hosts.update(sink_hosts(settings.sinks, environ))
    return Report(keys, deployments, tuple(sorted(hosts)), tuple(findings.notes))

"""Reads `model_list` into deployments. Each loads, or says why it cannot be asked.

Where prompts go and with which key is `providers.catalog`'s to find out; here LiteLLM's parameters
are sorted into those that concern us and those that are sent with every prompt.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from json import dumps

from understudy.server.config import units
from understudy.server.config.defaults import Defaults
from understudy.server.config.fields import Fields
from understudy.server.config.prices import PriceFinder
from understudy.server.config.silent import read_silent_models
from understudy.server.config.standings import find_rule
from understudy.server.config.targets import find_target
from understudy.server.config.variables import PREFIX
from understudy.server.domain.chat import JsonValue
from understudy.server.domain.deployment import Deployment
from understudy.server.providers.simulated import read_settings
from understudy.server.providers.targets import Target

SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class Placed:
    """A deployment as read, and how its endpoint and its price were found."""

    deployment: Deployment
    target: Target
    price: str = ""  # in words, or why there is none


def read_deployments(
    top: Fields,
    defaults: Defaults,
    aliases: Collection[str],
    environ: Mapping[str, str],
    prices: PriceFinder,
) -> list[Placed]:
    """Return the deployments of a file, in its order. Silent models may go by an alias."""
    items = top.items("model_list")
    named = (item.at("model_name") for item in items)
    groups = {one.value for one in named if one is not None and isinstance(one.value, str)}
    reader = _Reader(defaults, groups | set(aliases), environ, prices)
    placed = [
        reader.read(Fields(item, f"model_list[{index}]", top.faults))
        for index, item in enumerate(items)
    ]
    return [one for one in placed if one is not None]


class _Reader:
    """Reads the items of one list; it remembers which ids are taken."""

    def __init__(
        self,
        defaults: Defaults,
        groups: Collection[str],
        environ: Mapping[str, str],
        prices: PriceFinder,
    ) -> None:
        self._defaults = defaults
        self._groups = groups
        self._environ = environ
        self._prices = prices
        self._given: dict[str, str] = {}
        self._alike: dict[tuple[str, str, str], int] = {}

    def read(self, item: Fields) -> Placed | None:
        """Return the deployment of an item, or None after a fault that leaves nothing of it."""
        params, info = item.mapping("litellm_params"), item.mapping("model_info")
        group = item.read("model_name", units.name)
        if group is None:
            if item.is_mapping and not item.has("model_name"):
                item.fault("model_name", "is missing")
            return None
        target = find_target(group, params, info, self._environ, self._defaults.trust)
        weight = params.read("weight", units.weight)
        own_retries = params.read("num_retries", units.count)
        own_timeout = params.read("timeout", units.positive_duration)
        if own_timeout is None:
            own_timeout = params.read("request_timeout", units.positive_duration)
        stream_timeout = params.read("stream_timeout", units.positive_duration)
        seats = params.read("max_parallel_requests", units.positive_count)
        cooldown_time = params.read("cooldown_time", units.duration)
        if cooldown_time is None:
            cooldown_time = self._defaults.cooldown_time
        drop_params = params.flag("drop_params")
        id = self._identify(group, params, info)
        found = self._prices.find(target, id, group, params, info)
        deployment = Deployment(
            id=id,
            group=group,
            provider=target.provider,
            model=target.model,
            endpoint=target.endpoint,
            unusable=target.unusable,
            is_reasoning=target.is_reasoning,
            # LiteLLM pauses a blocked deployment: here it gets nothing, which is the same.
            weight=0.0 if info.flag("blocked") else weight,
            rpm=_beside(params, item, "rpm"),
            tpm=_beside(params, item, "tpm"),
            order=params.read("order", units.whole),
            defaults=_sent(params, target.provider),
            timeout=self._defaults.timeout if own_timeout is None else own_timeout,
            stream_timeout=(
                self._defaults.stream_timeout if stream_timeout is None else stream_timeout
            ),
            max_parallel_requests=self._defaults.max_parallel_requests if seats is None else seats,
            num_retries=(
                params.read("max_retries", units.count) if own_retries is None else own_retries
            ),
            allowed_fails=self._defaults.allowed_fails,
            cooldown_time=0.0 if self._defaults.disable_cooldowns else cooldown_time,
            drop_params=self._defaults.drop_params if drop_params is None else drop_params,
            silent_models=read_silent_models(params, self._groups),
            price=found.price,
        )
        return Placed(deployment, target, found.told)

    def _identify(self, group: str, params: Fields, info: Fields) -> str:
        """Return `model_info.id`, else a digest that is the same at every start."""
        given = info.values.get("id")
        if given is not None and given.value is not None:
            name = str(given.value) if isinstance(given.value, int) else info.read("id", units.name)
            if name is None:
                return ""
            if name in self._given:
                info.fault("id", f"{name!r} is taken by {self._given[name]}")
            self._given[name] = info.path
            return name
        alike = (group, _written(params, "model"), _written(params, "api_base", "base_url"))
        position = self._alike[alike] = self._alike.get(alike, -1) + 1
        return sha256(dumps([*alike, position]).encode()).hexdigest()[:12]


def _beside(params: Fields, item: Fields, key: str) -> float | None:
    """Return a limit that old files write next to `litellm_params` rather than into it."""
    inner, outer = params.read(key, units.weight), item.read(key, units.weight)
    return outer if inner is None else inner


def _written(params: Fields, *keys: str) -> str:
    """Return what the file itself says, so that an id does not hang on the environment."""
    for key in keys:
        node = params.values.get(key)
        if node is not None and node.variable:
            return PREFIX + node.variable
        if node is not None and isinstance(node.value, str):
            return node.value
    return ""


def _sent(params: Fields, provider: str) -> Mapping[str, JsonValue]:
    """Return what is sent with every prompt unless the caller says otherwise."""
    sent: dict[str, JsonValue] = {}
    for key, node in params.values.items():
        if key == SIMULATED:
            params.mapping(key)  # which notes a fault if it is none
            sent[key] = params.json(key)
            if provider != SIMULATED:
                params.fault(key, f"only a model {SIMULATED}/NAME takes it")
            else:
                try:
                    read_settings(sent[key])
                except ValueError as error:
                    params.fault(key, str(error))
        elif find_rule(f"litellm_params.{key}").sent and (
            # A null says nothing, but that a server refuses to be asked for its usage.
            node.value is not None or (key == "stream_options" and not node.variable)
        ):
            sent[key] = params.json(key)
    return sent

"""Finds what each deployment costs: by the operator's list, its own keys, or a published list.

A published price is for a provider's own servers: behind an address of the operator's, the same
name may be any model. There `model_info.base_model` says which it is, as it does for Azure, whose
deployments go by names that their owners gave them.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from understudy.server.config.fields import Fields
from understudy.server.config.litellm_prices import UnpricedError, read_price
from understudy.server.config.price_lists import Named, PriceList
from understudy.server.domain.costs import (
    PerHour,
    PerSecond,
    PerToken,
    Price,
    PriceSource,
    Rates,
    Tariff,
    always,
)
from understudy.server.pricing.catalogue import PUBLISHED, Catalogue
from understudy.server.providers.families import SPOKEN
from understudy.server.providers.targets import Target

_SIMULATED: Final = "simulated"
_NOTHING: Final = Price(
    PriceSource.SIMULATED, _SIMULATED, always(PerToken(Rates.of(0, 0))), max_output=None
)
_FILE_VERSION: Final = "configuration"
_USD: Final = 10**18
_USD_PER_MILLION: Final = 10**12


@dataclass(frozen=True, slots=True)
class Found:
    """The price of a deployment, and in words where it is from or why there is none."""

    price: Price | None
    told: str


class PriceFinder:
    """Finds the prices of one configuration. `own` is the operator's list, if there is one."""

    def __init__(self, own: PriceList | None = None, published: Catalogue = PUBLISHED) -> None:
        self._own = own
        self._published = published

    def find(
        self, target: Target, deployment: str, group: str, params: Fields, info: Fields
    ) -> Found:
        """Return the price of a deployment."""
        if not target.provider:
            return Found(None, "")
        base = info.text("base_model") or params.text("base_model") or ""
        try:
            price = self._written(target, deployment, group, base, params, info)
        except UnpricedError as error:
            return Found(None, f"no price: {error}")
        if price is None and target.provider == _SIMULATED:
            price = _NOTHING
        if price is not None:
            return Found(price, describe(price))
        if target.endpoint is None:
            return Found(None, "")
        return self._look_up(target, base)

    def _written(
        self,
        target: Target,
        deployment: str,
        group: str,
        base: str,
        params: Fields,
        info: Fields,
    ) -> Price | None:
        whole = f"{target.provider}/{target.model}"
        named = Named(
            deployment, group, target.provider, target.model, (base, whole) if base else (whole,)
        )
        price = None if self._own is None else self._own.find(named)
        if price is not None:
            return price
        return read_price((params, info), PriceSource.DEPLOYMENT, _FILE_VERSION)

    def _look_up(self, target: Target, base: str) -> Found:
        provider, model = target.provider, target.model
        if base:
            prefix, _, rest = base.partition("/")
            provider, model = (prefix, rest) if rest and prefix in SPOKEN else (provider, base)
        elif not _is_own_host(target):
            told = f"the host is not {provider}'s own; write base_model into model_info, or a price"
            return Found(None, f"no price: {told}")
        price = self._published.find(provider, model)
        if price is None:
            return Found(None, f"no price: none is published for {provider}/{model}")
        return Found(price, describe(price))


def describe(price: Price) -> str:
    """Return the latest of a price in words, and whose it is."""
    if price.source is PriceSource.SIMULATED:
        return "nothing: it is simulated"
    return f"{_tell(price.periods[-1].day[0][1])} ({price.version})"


def _tell(tariff: Tariff) -> str:
    if isinstance(tariff, PerHour):
        return f"${tariff.rate / _USD:g} an hour"
    if isinstance(tariff, PerSecond):
        return f"${tariff.rate / _USD:g} a second"
    base = tariff.base
    per_million = f"${base.input / _USD_PER_MILLION:g} in, ${base.output / _USD_PER_MILLION:g} out"
    return f"{per_million} a million tokens"


def _is_own_host(target: Target) -> bool:
    base = SPOKEN[target.provider].base if target.provider in SPOKEN else ""
    if not base:  # Azure and others who give each customer a host
        return True
    url = "" if target.endpoint is None else target.endpoint.url
    return urlsplit(url).hostname == urlsplit(base).hostname

"""What a rented endpoint costs for each call: its rent, spread over all calls of the window. Pure.

Paid used or not, so a call costs the less the more of them there are, and nothing is known of it
but on average.
"""

from collections.abc import Mapping

from msgspec import Struct

from understudy.server.evaluation.projections import HOUR


class Rent(Struct, frozen=True):
    """What an endpoint costs in an hour, in nano-USD, and each call of the window its part."""

    per_hour: int
    calls: int
    per_call: float


class Rents(Struct, frozen=True):
    """The endpoints that are paid by the hour and were called in the window, by deployment."""

    held: Mapping[str, Rent] = {}

    @classmethod
    def spread(cls, per_hour: Mapping[str, int], calls: Mapping[str, int], span: int) -> "Rents":
        """Spread each rent of `span` microseconds over the calls that its endpoint took."""
        return cls(
            {
                name: Rent(rent, calls[name], rent * span / HOUR / calls[name])
                for name, rent in per_hour.items()
                if calls.get(name) and span > 0
            }
        )

    def per_call(self, deployment: str) -> float | None:
        """Return what a call costs, `None` of an endpoint that is not rented."""
        found = self.held.get(deployment)
        return found.per_call if found is not None else None

    def tell(self, deployment: str) -> str:
        """Say for people how the cost of this endpoint's calls came to be."""
        rent = self.held[deployment]
        return (
            f"{deployment} is rented for ${rent.per_hour / 1e9:.6g} an hour: its calls cost that "
            f"rent spread over the {rent.calls} calls it took in this window, "
            f"${rent.per_call / 1e9:.6g} each"
        )

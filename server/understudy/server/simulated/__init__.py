"""Models that are none, for demos and tests: what they say, when, and how they fail.

Everything is made up from the request and a seed, and says that it is simulated. `upstream` lets
time pass; the rest is pure. How such a model is asked is `providers.simulated`.
"""

from understudy.server.simulated.upstream import SimulatedUpstream

__all__ = ["SimulatedUpstream"]

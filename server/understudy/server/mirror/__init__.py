"""The wings: plays prompts to silent models in threads of its own, whatever those models do.

`pool` is the way in, and hands each pair to one `worker`: a thread with an event loop and an
upstream of its own. `admission` says which copies may be sent, `performance` sends one, `joiner`
brings the two ends of a pair together, `ledger` counts. Who is offered what is decided in
`routing`; what the two answers have in common, in `evaluation`.
"""

from understudy.server.mirror.pool import ThreadedMirror
from understudy.server.mirror.shedding import Shed
from understudy.server.mirror.state import MirrorState, SilentState
from understudy.server.routing.breaker import Circuit

__all__ = ["Circuit", "MirrorState", "Shed", "SilentState", "ThreadedMirror"]

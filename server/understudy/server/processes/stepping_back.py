"""Has a process leave processor and memory to those who answer callers.

It imports next to nothing: whoever starts does this before all else, because to load the rest of a
program is a tenth of a second's work.
"""

import os
import resource
import sys
from contextlib import suppress
from typing import Final

_FIRST_TO_GO: Final = "500"  # of 1000: where memory runs out, this and not the service


def step_back(nice: int, *, only_when_idle: bool = False) -> None:
    """Step back behind the service. `nice` is as for `nice(1)`.

    `only_when_idle`: run only where the processor has nothing else to do, for what can wait.
    """
    os.nice(nice)
    if only_when_idle and sys.platform == "linux":
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123 - light
        file.write(_FIRST_TO_GO)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump would hold passwords

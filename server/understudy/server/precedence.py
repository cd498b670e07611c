"""Lets the thread that answers callers go on with its turn, rather than others of its process.

Linux only; elsewhere nothing happens. It takes no privilege. What a process of its own yields to
the service is `processes.stepping_back`.
"""

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path


def answer_first() -> None:
    """Have all other threads of this process wait for their turn. Call in the one that answers.

    gRPC's threads wake up some ten times for each call, and on the processor that they share each
    pushes aside the very thread that is to look at what it found. As SCHED_BATCH they run as soon
    as that one waits, then for many calls at once: where the processor is short, that is a tenth
    more answers. Threads that they begin are as they are. Where a processor is idle nothing
    changes, and their share of the time stays the same.
    """
    if sys.platform != "linux":
        return
    own = threading.get_native_id()
    for thread in Path("/proc/self/task").iterdir():
        number = int(thread.name)
        # A process inherits of the thread that began it, which may be one that waits.
        usual, wanted = os.SCHED_OTHER, os.SCHED_BATCH
        if number == own:
            usual, wanted = wanted, usual
        with suppress(OSError):  # it has ended, or a sandbox does not let us
            if os.sched_getscheduler(number) == usual:  # else somebody chose otherwise
                os.sched_setscheduler(number, wanted, os.sched_param(0))

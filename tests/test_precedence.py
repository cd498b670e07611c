"""The thread that answers comes first, whoever began its process."""

import subprocess
import sys

import pytest

# In a process of its own: the policies would be those of all tests.
_TRYING = """
import os, threading
from understudy.server.precedence import answer_first
os.sched_setscheduler(0, os.{policy}, os.sched_param(0))
end = threading.Event()
other = threading.Thread(target=end.wait)
other.start()
answer_first()
print(os.sched_getscheduler(0) == os.{own}, os.sched_getscheduler(other.native_id) == os.{others})
end.set()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no such policies")
@pytest.mark.parametrize(
    ("policy", "own", "others"),
    [
        ("SCHED_OTHER", "SCHED_OTHER", "SCHED_BATCH"),
        # Begun by a thread that waits for its turn, as one that takes the place of another is.
        ("SCHED_BATCH", "SCHED_OTHER", "SCHED_BATCH"),
        # What an operator chose stays as it is.
        ("SCHED_IDLE", "SCHED_IDLE", "SCHED_IDLE"),
    ],
)
def test_only_the_thread_that_answers_does_not_wait(policy: str, own: str, others: str) -> None:
    program = _TRYING.format(policy=policy, own=own, others=others)

    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert ran.stdout.split() == ["True", "True"]

"""How long a thread's turns on a processor are, where the kernel lets it say so.

Linux's scheduler (EEVDF, with slices of one's own since 6.12) has a thread that wakes wait for the
turn of whoever runs to end, which is milliseconds, unless its own turns are shorter. Those who
answer callers ask for short ones: what runs beside them on the same core costs calls little.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from typing import Final

SHORT: Final = 500_000  # nanoseconds
LONG: Final = 100_000_000

# size, policy, flags, nice, priority, runtime, deadline, period: sched_setattr(2)
_ATTRIBUTES: Final = struct.Struct("=IIQiIQQQ")
_SYSCALLS: Final = {"x86_64": 314, "aarch64": 274}


def set_slice(nanoseconds: int) -> None:
    """Set the length of the calling thread's turns; threads that it starts inherit it.

    Within what the kernel allows, 0.1 to 100 ms. Raises OSError where it knows nothing of it; a
    kernel that is too old may take it and do nothing.
    """
    number = _SYSCALLS.get(platform.machine())
    if sys.platform != "linux" or number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    size = _ATTRIBUTES.size
    attributes = _ATTRIBUTES.pack(size, os.SCHED_OTHER, 0, nice, 0, nanoseconds, 0, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, 0, ctypes.c_char_p(attributes), 0):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))

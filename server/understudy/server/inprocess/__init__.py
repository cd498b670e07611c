"""Answers in process, without a server: `Router`, and `completion_with_split_tests`.

    router         the methods that are called, by threads and by event loops
    split_tests    the same for provider names and environment keys, without a Router to make
    configuring    the arguments of a Router as the configuration that a file would hold
    engines        one engine for each process, whoever forks
    background     the thread and the event loop that an engine lives on
    answering      what runs there: a request in, answers and the client's errors out
    flow, streams  pieces on their way from there to a caller

Everything behind the door is the service's own: see `engine`.
"""

import logging

from understudy.server.inprocess.configuring import IgnoredArgumentWarning
from understudy.server.inprocess.router import Router
from understudy.server.inprocess.split_tests import (
    acompletion_with_split_tests,
    completion_with_split_tests,
)
from understudy.server.inprocess.streams import AsyncStream, Stream

# As every library does: without it, warnings go to stderr where nobody has set logging up.
logging.getLogger("understudy").addHandler(logging.NullHandler())

__all__ = [
    "AsyncStream",
    "IgnoredArgumentWarning",
    "Router",
    "Stream",
    "acompletion_with_split_tests",
    "completion_with_split_tests",
]

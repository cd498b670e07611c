"""Experiments as a person watches them change from the command line."""

import os
import re
import signal
import subprocess
import sys

from ..service.running import Demo
from .test_experiments import run

# A shell that starts something in the background has it ignore Ctrl-C.
WATCH = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["understudy", "experiments", "watch"]
runpy.run_module("understudy.server", run_name="__main__")
"""


def test_a_watch_tells_changes_and_ends_with_ctrl_c(demo: Demo) -> None:
    run(demo, "create", "watched", "gpt-4=1", "llama-2=1")
    child = subprocess.Popen(
        [sys.executable, "-c", WATCH],
        env={**os.environ, "UNDERSTUDY_TARGET": demo.target, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    while "watched  draft" not in child.stdout.readline():
        pass
    run(demo, "start", "watched")
    while not re.match(
        r" +\d+  watched  running  gpt-4 50 % · llama-2 50 %", child.stdout.readline()
    ):
        pass
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=20)

    assert (child.returncode, errors) == (0, "")

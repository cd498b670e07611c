"""Scripts that use the client in a process of their own."""

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Mapping

from .scripted import Server

_GRPC_NOTE = re.compile(
    r"[IE]\d{4} .*(skipping fork\(\) handlers|created pre fork)|WARNING: .* absl::InitializeLog"
)
LONGEST = 30  # seconds that any of these may take

PRELUDE = """
import asyncio, os, sys, threading
from understudy import client

HI = [{"role": "user", "content": "hi"}]

def sync_call():
    assert client.completion("m", HI, timeout=10).choices[0].message.content == "hi"
    assert len(list(client.completion("m", HI, stream=True, timeout=10))) == 2

async def async_call():
    answer = await client.acompletion("m", HI, timeout=10)
    assert answer.choices[0].message.content == "hi"
    assert len([piece async for piece in client.acompletion("m", HI, stream=True)]) == 2

def in_child(work):
    "Return the exit code of a child that does this."
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


def run(
    server: Server, script: str, *, environment: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Run a script; return its exit code and what it wrote."""
    ended = subprocess.run(
        [
            sys.executable,
            "-X",
            "faulthandler",
            "-W",
            "error",
            "-c",
            PRELUDE + textwrap.dedent(script),
        ],
        env={**os.environ, "UNDERSTUDY_TARGET": server.address, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    # What gRPC itself has to say about forks harms nobody.
    told = [line for line in ended.stderr.splitlines() if not _GRPC_NOTE.match(line)]
    return ended.returncode, ended.stdout, "\n".join(told)

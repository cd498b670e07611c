"""Forks and exits: every process has an engine of its own, and none outlives it or makes noise."""

import time

import pytest

from ..stub.faultstub import FaultStub
from .asking import run_script

PRELUDE = """
import asyncio, os, sys, threading, time
from understudy.server import Router

HI = [{{"role": "user", "content": "hi"}}]

def group(mode):
    return {{"model_name": mode, "litellm_params": {{
        "model": "openai/" + mode, "api_base": "{url}/v1", "api_key": "sk-test"}}}}

def ask(mode="ok"):
    return router.completion(mode, HI).choices[0].message.content

router = Router([group("ok"), group("hang-headers"), group("words-9+hang-body")])
"""

EXITS = {
    "without a call": "",
    "after a call": "ask()",
    "after a stream": 'list(router.completion("ok", HI, stream=True))',
    "by sys.exit": "ask(); sys.exit(0)",
    "with a hung call in a daemon": """
threading.Thread(target=ask, args=("hang-headers",), daemon=True).start()
ask()
time.sleep(0.2)
""",
    "with a hung task in a daemon's loop": """
async def hang():
    await router.acompletion("hang-headers", HI)
threading.Thread(target=lambda: asyncio.run(hang()), daemon=True).start()
ask()
time.sleep(0.2)
""",
    "with a hung stream in a daemon": """
def read():
    for piece in router.completion("words-9+hang-body", HI, stream=True): pass
threading.Thread(target=read, daemon=True).start()
ask()
time.sleep(0.2)
""",
    "with an open stream": 'stream = router.completion("words-9+hang-body", HI, stream=True)',
    "with an open async stream": """
async def open_stream():
    return await router.acompletion("words-9+hang-body", HI, stream=True)
stream = asyncio.run(open_stream())
""",
    "with a task left hanging": """
async def leave():
    task = asyncio.create_task(router.acompletion("hang-headers", HI))
    await asyncio.sleep(0.1)
asyncio.run(leave())
""",
    "with a call given up": """
async def give_up():
    try:
        await asyncio.wait_for(router.acompletion("hang-headers", HI), 0.1)
    except TimeoutError:
        pass
asyncio.run(give_up())
""",
}


@pytest.mark.parametrize("script", EXITS.values(), ids=EXITS.keys())
def test_an_exit_is_prompt_and_silent(stub: FaultStub, script: str) -> None:
    began = time.monotonic()
    ran = run_script(PRELUDE.format(url=stub.url) + script)

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert time.monotonic() - began < 5


FORK = """
def in_child(work):
    child = os.fork()
    if not child:
        print(work(), flush=True)
        {leave}
    assert os.waitpid(child, 0)[1] == 0
"""

FORKS = {
    "with an idle child": """
ask()
in_child(lambda: "Hello from ok.")
print(ask())
""",
    "before the first call": """
in_child(ask)
print(ask())
""",
    "between calls": """
ask()
in_child(ask)
print(ask())
""",
    "during calls": """
for mode in ("hang-headers", "hang-headers"):
    threading.Thread(target=ask, args=(mode,), daemon=True).start()
stream = router.completion("words-9+hang-body", HI, stream=True)
time.sleep(0.2)
in_child(ask)
print(ask())
""",
    "as multiprocessing does": """
ask()
in_child(ask)
print(ask())
""",
    "by a child of a child": """
ask()
def grandchild():
    in_child(ask)
    return ask()
in_child(grandchild)
""",
}


@pytest.mark.parametrize("script", FORKS.values(), ids=FORKS.keys())
def test_parent_and_child_are_both_served(stub: FaultStub, script: str) -> None:
    leave = "os._exit(0)" if script is FORKS["as multiprocessing does"] else "sys.exit(0)"
    ran = run_script(PRELUDE.format(url=stub.url) + FORK.format(leave=leave) + script)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "Hello from ok.\n" * 2


def test_a_stream_of_the_parent_is_no_use_to_its_child_and_unharmed(stub: FaultStub) -> None:
    ran = run_script(
        PRELUDE.format(url=stub.url).replace("words-9+hang-body", "words-300+pace-1ms")
        + FORK.format(leave="sys.exit(0)")
        + """
stream = router.completion("words-300+pace-1ms", HI, stream=True)
def read():
    try:
        return len(list(stream))
    except Exception as error:
        return type(error).__name__
in_child(read)
print(read() > 300)
"""
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "Cancelled\nTrue\n", "")

"""Forks, threads, event loops and the end of the process: each in a process of its own."""

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Mapping

import pytest

from understudy.v1.chat_pb2 import ChatMessage
from understudy.v1.completion_pb2 import (
    Choice,
    CreateCompletionRequest,
    CreateCompletionResponse,
)

from .scripted import Context, Server, echo, serving

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
        [sys.executable, "-X", "dev", "-W", "error", "-c", PRELUDE + textwrap.dedent(script)],
        env={**os.environ, "UNDERSTUDY_TARGET": server.address, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


FORKS = {
    "after a call": """
        sync_call()
        assert in_child(sync_call) == 0
        sync_call()
    """,
    "after an awaited call": """
        asyncio.run(async_call())
        assert in_child(lambda: asyncio.run(async_call())) == 0
        asyncio.run(async_call())
    """,
    "after both": """
        for _ in range(5):
            sync_call()
            asyncio.run(async_call())
            assert in_child(sync_call) == 0
            assert in_child(lambda: asyncio.run(async_call())) == 0
    """,
    "inside a loop": """
        async def main():
            for _ in range(5):
                await async_call()
                assert in_child(sync_call) == 0
                await async_call()
        asyncio.run(main())
    """,
    "after the import": """
        assert in_child(sync_call) == 0
        sync_call()
    """,
    "after closing": """
        for _ in range(20):
            with client.Client() as one:
                one.completion("m", HI)
            assert in_child(sync_call) == 0
    """,
    "with a client of one's own": """
        one = client.Client()
        one.completion("m", HI)
        assert in_child(lambda: one.completion("m", HI)) == 0
        one.completion("m", HI)
    """,
    "twice": """
        sync_call()
        def child():
            sync_call()
            assert in_child(sync_call) == 0
            sync_call()
        assert in_child(child) == 0
        sync_call()
    """,
    "into several at once": """
        import multiprocessing
        sync_call()
        with multiprocessing.get_context("fork").Pool(3) as pool:
            assert pool.map(len, ["ab"]) == [2]
            sync_call()
            for _ in range(3):
                pool.apply(sync_call)
    """,
    "with threads that have finished": """
        threads = [threading.Thread(target=sync_call) for _ in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert in_child(sync_call) == 0
        sync_call()
    """,
}


@pytest.mark.parametrize("script", FORKS.values(), ids=FORKS)
def test_both_sides_of_a_fork_can_call(script: str, server: Server) -> None:
    assert run(server, script) == (0, "", "")


def test_grpc_imported_by_others_first_does_no_harm(server: Server) -> None:
    script = "import grpc\ngrpc.insecure_channel('localhost:1')\n" + PRELUDE
    script += "sync_call()\nassert in_child(sync_call) == 0\nsync_call()"

    assert run(server, script) == (0, "", "")


REFUSED = {
    "a stream open": """
        stream = client.completion("m", HI, stream=True)
        next(stream)
        def child():
            refused()
            try:
                next(stream)
            except client.Unavailable:
                stream.close()
            else:
                raise AssertionError
        forked = in_child(child)
        assert len(list(stream)) == 1
    """,
    "a call in another thread": """
        thread = threading.Thread(target=lambda: client.completion("wait", HI))
        thread.start()
        while not client.completion("count", HI).choices[0].message.content == "2":
            pass
        forked = in_child(refused)
        client.completion("go", HI)
        thread.join()
    """,
    "a loop in another thread": """
        ready, go = threading.Event(), threading.Event()
        async def main():
            await async_call()
            ready.set()
            while not go.is_set(): await asyncio.sleep(0.01)
            await async_call()
        thread = threading.Thread(target=lambda: asyncio.run(main()))
        thread.start()
        ready.wait()
        forked = in_child(refused)
        go.set()
        thread.join()
    """,
}


@pytest.mark.parametrize("script", REFUSED.values(), ids=REFUSED)
def test_a_child_forked_in_the_middle_is_told_so(script: str) -> None:
    refused = """
def refused():
    for ask in (sync_call, lambda: asyncio.run(async_call())):
        try:
            ask()
        except client.Unavailable as error:
            assert error.reason == "FORKED_WHILE_IN_USE", error
            assert "between calls" in str(error), error
        else:
            raise AssertionError
"""
    with serving() as server:
        _hold_calls(server)
        code, out, err = run(
            server, refused + textwrap.dedent(script) + "\nassert forked == 0\nsync_call()"
        )

    assert (code, out) == (0, ""), err
    # gRPC notes on its own that it skipped its handlers.
    notes = ("skipping fork() handlers", "absl::InitializeLog()")
    assert not [line for line in err.splitlines() if not any(note in line for note in notes)]


def _hold_calls(server: Server) -> None:
    """Make the model "wait" answer only after "go", and "count" say how many calls there were."""
    going = threading.Event()
    started = threading.Event()

    def answer(request: CreateCompletionRequest, context: Context) -> CreateCompletionResponse:
        match request.model:
            case "wait":
                started.set()
                going.wait(LONGEST)
            case "go":
                going.set()
            case "count":
                content = "2" if started.is_set() else "1"
                return CreateCompletionResponse(
                    choices=[Choice(message=ChatMessage(content=content))]
                )
            case _:
                pass
        return echo(request, context)

    server.service.unary = answer


def test_a_child_is_told_that_fork_support_is_switched_off(server: Server) -> None:
    script = """
        sync_call()
        def child():
            try:
                sync_call()
            except client.Unavailable as error:
                assert "GRPC_ENABLE_FORK_SUPPORT" in str(error)
            else:
                raise AssertionError
        assert in_child(child) == 0
        sync_call()
    """

    assert run(server, script, environment={"GRPC_ENABLE_FORK_SUPPORT": "0"}) == (0, "", "")


LOOPS = {
    "two runs": """
        asyncio.run(async_call())
        asyncio.run(async_call())
    """,
    "a client over two runs": """
        one = client.AsyncClient()
        async def call(): assert (await one.completion("m", HI)).id == "1"
        asyncio.run(call())
        asyncio.run(call())
    """,
    "two loops in turn": """
        loops = [asyncio.new_event_loop() for _ in range(2)]
        for _ in range(3):
            for loop in loops: loop.run_until_complete(async_call())
        for loop in loops: loop.close()
    """,
    "ten threads": """
        failed = []
        def work():
            try:
                for _ in range(20): sync_call()
            except BaseException as error:
                failed.append(error)
        threads = [threading.Thread(target=work) for _ in range(10)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert not failed, failed
    """,
}


@pytest.mark.parametrize("script", LOOPS.values(), ids=LOOPS)
def test_calls_work_in_every_thread_and_loop(script: str, server: Server) -> None:
    assert run(server, script) == (0, "", "")


def test_calls_work_in_loops_of_several_threads_at_once(server: Server) -> None:
    script = """
        failed = []
        def work():
            try:
                asyncio.run(several())
            except BaseException as error:
                failed.append(error)
        async def several():
            for _ in range(20): await async_call()
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert not failed, failed
    """

    code, out, err = run(server, script)

    # Older grpcio has its loops quarrel over wake-ups: it writes about it, and all calls succeed.
    assert (code, out) == (0, ""), err


EXITS = {
    "after a call": "sync_call()",
    "after an awaited call": "asyncio.run(async_call())",
    "with a client not closed": """
        one, two = client.Client(), client.AsyncClient()
        one.completion("m", HI)
        async def call(): await two.completion("m", HI)
        asyncio.run(call())
    """,
    "with a stream open": """
        stream = client.completion("m", HI, stream=True)
        next(stream)
    """,
    "with an async stream open": """
        async def main():
            global stream
            stream = await client.acompletion("m", HI, stream=True)
            await anext(stream)
        asyncio.run(main())
    """,
    "with a task in the middle of a stream": """
        async def read():
            async for _ in client.acompletion("m", HI, stream=True):
                await asyncio.sleep(60)
        async def main():
            global task
            task = asyncio.create_task(read())
            await asyncio.sleep(0.1)
        asyncio.run(main())
    """,
    "with a daemon thread in a call": """
        sync_call()
        threading.Thread(target=lambda: client.completion("wait", HI), daemon=True).start()
        while client.completion("count", HI).choices[0].message.content != "2":
            pass
    """,
    "by sys.exit": "sync_call()\nsys.exit(0)",
}


@pytest.mark.parametrize("script", EXITS.values(), ids=EXITS)
def test_a_process_ends_quietly(script: str, server: Server) -> None:
    _hold_calls(server)

    assert run(server, script) == (0, "", "")


def test_the_environment_counts_when_the_call_is_made(server: Server) -> None:
    script = """
        try:
            client.completion("m", HI)
        except client.Unavailable:
            pass
        os.environ["UNDERSTUDY_TARGET"] = os.environ["REAL"]
        sync_call()
        asyncio.run(async_call())
    """
    environment = {"UNDERSTUDY_TARGET": "127.0.0.1:9", "REAL": server.address}

    assert run(server, script, environment=environment) == (0, "", "")


def test_importing_the_client_imports_nothing_of_the_server(server: Server) -> None:
    script = """
        heavy = {"httpx", "aiohttp", "pydantic", "msgspec", "yaml", "uvloop", "click", "rich"}
        roots = {name.partition(".")[0] for name in sys.modules}
        assert not heavy & roots, heavy & roots
        assert not [name for name in sys.modules if name.startswith("understudy.server")]
    """

    assert run(server, script) == (0, "", "")

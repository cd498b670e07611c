"""Threads, event loops and the end of the process: each in a process of its own."""

import pytest

from .scripted import Server, hold_calls
from .scripts import run

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
    hold_calls(server.service)

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

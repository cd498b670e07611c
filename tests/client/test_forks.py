"""Both sides of a fork can call; where that cannot be, the child is told so."""

import textwrap

import pytest

from .scripted import Server, hold_calls, serving
from .scripts import PRELUDE, run

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
        hold_calls(server.service)
        code, out, err = run(
            server, refused + textwrap.dedent(script) + "\nassert forked == 0\nsync_call()"
        )

    assert (code, out, err) == (0, "", "")


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

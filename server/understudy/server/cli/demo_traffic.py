"""Asks the demo's own models now and then, so that there is something to see."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from random import Random

from understudy.server.completer import Completer
from understudy.server.domain.chat import ChatCall, Message
from understudy.server.domain.request import CompletionRequest, Target
from understudy.server.errors import UnderstudyError

_LOG = logging.getLogger(__name__)

PROMPTS = (
    "Why is the sky blue?",
    "Summarise this ticket in one sentence: the export fails for files over 2 GB.",
    "Write a polite reminder that the invoice is due on Friday.",
    "What is the capital of Australia, and why not Sydney?",
    "Explain a mutex to somebody who has only ever cooked.",
    "Turn this into a haiku: the build is green again.",
    "Which of these is a fruit: carrot, tomato, spinach?",
    "Give me three names for a very small robot.",
)
TARGETS = (
    Target(model="gpt-3.5-turbo"),
    Target(model="gpt-3.5-turbo"),
    Target(models={"gpt-4": 0.8, "llama-2": 0.2}),
)
TIMEOUT = 30.0  # seconds
FIRST_CALLS = 12  # at once, so that the first look at anything shows something
PAUSE = 2.0  # seconds between calls afterwards


async def drive(completer: Completer, clock: Callable[[], float], random: Random) -> None:
    """Ask until cancelled: a handful at first, then a call every two seconds."""
    await asyncio.gather(*(_ask(completer, clock, random) for _ in range(FIRST_CALLS)))
    while True:
        await asyncio.sleep(PAUSE)
        await _ask(completer, clock, random)


async def _ask(completer: Completer, clock: Callable[[], float], random: Random) -> None:
    request = CompletionRequest(
        random.choice(TARGETS),
        ChatCall((Message("user", random.choice(PROMPTS)),), {}, stream=random.random() < 0.3),
        deadline=clock() + TIMEOUT,
        request_id="demo-traffic",
        caller="demo",
        user=f"user-{random.randrange(20)}",
    )
    try:
        async with aclosing(completer.complete(request)) as parts:
            async for _ in parts:
                pass
    except UnderstudyError as error:
        _LOG.debug("a call of the demo failed: %s", error.reason)

"""Asks in every way that the client has, so that one table tests them all."""

import asyncio
from typing import Literal, Unpack

from understudy.client import AsyncClient, Client
from understudy.client.parameters import MessageInput, Parameters

Flavour = Literal["sync", "async"]
FLAVOURS: tuple[Flavour, ...] = ("sync", "async")
HI: list[MessageInput] = [{"role": "user", "content": "hi"}]


def ask(
    flavour: Flavour, target: str, *, stream: bool = False, **parameters: Unpack[Parameters]
) -> list[str]:
    """Say "hi"; return the texts of the answer, one for each piece."""
    if flavour == "async":
        return asyncio.run(_ask_async(target, stream, parameters))
    with Client(target) as client:
        if stream:
            pieces = client.completion("m", HI, stream=True, **parameters)
            return [piece.choices[0].delta.content for piece in pieces]
        return [client.completion("m", HI, **parameters).choices[0].message.content]


async def _ask_async(target: str, stream: bool, parameters: Parameters) -> list[str]:
    async with AsyncClient(target) as client:
        if stream:
            pieces = client.completion("m", HI, stream=True, **parameters)
            return [piece.choices[0].delta.content async for piece in pieces]
        return [(await client.completion("m", HI, **parameters)).choices[0].message.content]

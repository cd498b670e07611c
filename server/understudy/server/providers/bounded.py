"""Arrays of bounded length, for reading what strangers send.

A list of structs is built whole before its length can be judged: 1 MiB of `{},` is 350,000
objects and 15 ms with the interpreter lock held. An array that is decoded into a struct of so
many slots builds no more than those; the rest is skipped at the speed of the parser.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, Struct, UnsetType, defstruct

from understudy.server.providers.decoding import malformed

MOST = 128  # OpenAI's limit of choices, and of tools

if TYPE_CHECKING:
    Bounded = list
else:

    class Bounded:
        """`Bounded[T]` decodes an array of T; iterating over more than `MOST` raises."""

        def __class_getitem__(cls, kind: type) -> type[Struct]:
            slots = [(f"slot_{index}", kind | UnsetType, UNSET) for index in range(MOST + 1)]
            return defstruct(
                f"Bounded{kind.__name__}",
                slots,
                array_like=True,
                frozen=True,
                namespace={"__iter__": _elements},
            )


def _elements(array: Struct) -> Iterator[Any]:
    for index, name in enumerate(array.__struct_fields__):
        element = getattr(array, name)
        if element is UNSET:
            return
        if index == MOST:
            raise malformed(f"an array has more than {MOST} elements")
        yield element

"""A copy: one prompt on its way to one silent model."""

from dataclasses import dataclass

from msgspec import UNSET

from understudy.server.domain.chat import ChatCall
from understudy.server.domain.mirroring import SilentTarget


@dataclass(slots=True, eq=False)
class Copy:
    """Compared by identity. `probes`, `reserved` and `admitted` are set when it is admitted.

    `cut` says why it was cancelled; `offered` and `admitted` are instants of the mirror's clock.
    """

    pair_id: str
    chat: ChatCall | None
    size: int
    target: SilentTarget
    offered: float
    probes: bool = False
    reserved: int = 0  # 10^-9 dollars
    admitted: float = 0.0
    cut: str = ""

    @property
    def silent_model(self) -> str:
        """The silent model that it is for."""
        return self.target.silent_model

    def take_chat(self) -> ChatCall:
        """Return the prompt, and let go of it. Once."""
        chat, self.chat = self.chat, None
        assert chat is not None
        return chat

    @property
    def schema(self) -> bytes | None:
        """The JSON schema that the answer is to have, if the caller gave one."""
        shape = UNSET if self.chat is None else self.chat.response_format
        if shape is UNSET or shape.json_schema is UNSET or shape.json_schema.schema is UNSET:
            return None
        return bytes(shape.json_schema.schema)

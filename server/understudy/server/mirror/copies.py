"""A copy: one prompt on its way to one silent model."""

from dataclasses import dataclass

from msgspec import UNSET

from understudy.server.domain.chat import ChatCall
from understudy.server.domain.mirroring import SilentTarget
from understudy.server.mirror.purse import Reservation


@dataclass(slots=True, eq=False)
class Copy:
    """Compared by identity. `probes` and `reservation` are set when it is admitted.

    `cut` says why it was cancelled; `offered` is an instant of the mirror's clock.
    """

    pair_id: str
    chat: ChatCall | None
    size: int
    target: SilentTarget
    offered: float
    probes: bool = False
    reservation: Reservation | None = None
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

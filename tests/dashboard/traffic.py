"""Calls that go on in the background, and what of them reaches the models."""

import json
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from understudy import client

from ..stub.eventually import eventually_sync
from .house import Standing

_ENOUGH = 40  # requests by which a share is told


@dataclass(slots=True)
class Traffic:
    """Callers who ask for an experiment, each time as another user."""

    house: Standing
    failures: list[str] = field(default_factory=list[str])
    asked: int = 0

    def shares(self) -> Counter[str]:
        """Return which models the next calls reach."""
        begin = self.house.stub.count + 8  # those under way may be of before
        eventually_sync(lambda: self.house.stub.count >= begin + _ENOUGH, within=15)
        seen = list(self.house.stub.requests)[-_ENOUGH:]
        return Counter(str(json.loads(one.body)["model"]) for one in seen)

    def prompts(self, model: str) -> set[str]:
        """Return the system prompts that a model was sent in the last calls."""
        seen = list(self.house.stub.requests)[-_ENOUGH:]
        bodies = [json.loads(one.body) for one in seen]
        return {
            str(message["content"])
            for body in bodies
            if body["model"] == model
            for message in body["messages"]
            if message["role"] == "system"
        }


@contextmanager
def asking(house: Standing, experiment: str) -> Generator[Traffic]:
    """Ask for an experiment over and over until the block ends. None may fail."""
    traffic = Traffic(house)
    over = threading.Event()

    def ask() -> None:
        with client.Client(house.target) as caller:
            while not over.wait(0.02):
                try:
                    caller.completion(
                        experiment=experiment,
                        messages=[{"role": "user", "content": "hi"}],
                        user=f"user-{traffic.asked}",
                    )
                except client.UnderstudyError as error:
                    traffic.failures.append(str(error))
                traffic.asked += 1

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield traffic
    finally:
        over.set()
        thread.join(10)

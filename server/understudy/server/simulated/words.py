"""What simulated models say: a sentence or three that vary with the prompt and the model. Pure.

Every text says that it is simulated. Framing it as a reply is `replies`' work.
"""

import re
from random import Random

MARK = "[simulated]"

_OPENINGS = (
    "{topic} is easier than it looks once the parts have names.",
    "A short answer on {topic}: begin with one small step, and watch what it does.",
    "There are two sides to {topic}, and both deserve a look.",
    "Most of {topic} comes down to knowing what you hope to learn.",
    "Think of {topic} as a rehearsal: nobody is watching yet, and every mistake is free.",
    "With {topic}, the plain way is nearly always the right one.",
    "Nobody masters {topic} in an afternoon, but an afternoon is enough to begin.",
)
_THOUGHTS = (
    "First comes the idea, then the measurement, and only then the opinion.",
    "Change one thing at a time, and write down what you saw.",
    "Small differences need many examples; large ones show themselves by lunch.",
    "If two answers look alike, ask which of them you would rather defend tomorrow.",
    "What costs little to undo may be tried at once.",
    "Averages are polite: look at the slowest tenth as well.",
    "A good comparison asks both sides the same question at the same time.",
    "Keep what works, and be quick to drop what merely sounds clever.",
    "The best evidence is the kind that could have gone against you.",
)
_CLOSINGS = (
    "That much {model} would stake its name on.",
    "Ask {model} again tomorrow and it will say the same.",
    "So says {model}, who is only standing in.",
    "The rest is practice.",
    "Everything else follows from there.",
)
_DULL = frozenset(
    """
    about after also answer been before between could does doing explain from give have hello help
    here into just like list make more most please reply should some tell than that them then there
    these they this those through want were what when where which while will with word words work
    would write your yours
    """.split()  # noqa: SIM905, the list would be sixty lines
)
_WORD = re.compile(r"[^\W_][\w'-]{3,24}")


def compose(prompt: str, model: str, chance: Random, tokens: int | None) -> str:
    """Return an answer to a prompt, of about so many tokens if that is asked for."""
    names = {"topic": find_topic(prompt), "model": model}
    thoughts = chance.sample(_THOUGHTS, len(_THOUGHTS))
    chosen = [chance.choice(_OPENINGS), *thoughts[: chance.randint(0, 2)]]
    while tokens is not None and sum(map(_count, chosen)) < tokens:
        chosen.append(thoughts[len(chosen) % len(thoughts)])
    if tokens is None:
        chosen.append(chance.choice(_CLOSINGS))
    told = " ".join(chosen).format(**names)
    text = f"{MARK} {told[:1].upper()}{told[1:]}"
    return text if tokens is None else "".join(split_tokens(text)[:tokens]).rstrip()


def find_topic(prompt: str) -> str:
    """Return a word or two of the prompt that it may be about."""
    words = [one for one in _WORD.findall(prompt[:2000]) if one.lower() not in _DULL]
    longest = sorted(dict.fromkeys(words), key=len, reverse=True)[:2]
    if not longest:
        return "that"
    phrase = " ".join(sorted(longest, key=words.index))
    return phrase if phrase in prompt else longest[0]


def split_tokens(text: str) -> list[str]:
    """Return the text in pieces of a word each, which is what counts as a token here."""
    return re.findall(r"\s*\S+\s*", text) or [text]


def count_tokens(text: str) -> int:
    """Return about how many tokens a real model would see: four characters each."""
    return -(-len(text) // 4)


def _count(text: str) -> int:
    return len(text.split())

"""Two answers to one prompt, side by side, with what differs between them. Pure.

JSON and calls of tools are put in order first, so that only what means something else is marked.
"""

from dataclasses import dataclass

from understudy.server.dashboard.marking import MOST_CHARACTERS, Marked, Run, mark
from understudy.server.dashboard.words import first_calls, first_text, in_order
from understudy.server.domain.records import Kept, Pair, SilentSide
from understudy.server.questions.text_absence import tell_absence


@dataclass(frozen=True, slots=True)
class Beside:
    """What is shown of both answers. `left_out` are characters of each that are not.

    `absences` say of each side why its text is not there, empty where it is.
    """

    texts: Marked
    calls: Marked | None
    left_out: tuple[int, int]
    is_json: bool
    absences: tuple[str, str]

    @property
    def has_both(self) -> bool:
        """Whether there are two texts to compare."""
        return not any(self.absences)


def find_primary(pair: Pair) -> Kept | None:
    """Return the call that answered the caller, else the last that was to."""
    answered = [one for one in pair.primary if not one.record.reason]
    return next(reversed(answered or list(pair.primary)), None)


def find_side(pair: Pair, silent_model: str) -> SilentSide | None:
    """Return the side of a silent model, `None` if it was not offered this."""
    return next((one for one in pair.silents if one.silent_model == silent_model), None)


def put_beside(primary: Kept | None, silent: Kept | None, *, is_reader: bool) -> Beside:
    """Return both answers with their differences."""
    absences = (_tell(primary, is_reader=is_reader), _tell(silent, is_reader=is_reader))
    left, right = _text(primary), _text(silent)
    ours, theirs = in_order(left), in_order(right)
    is_json = ours is not None and theirs is not None
    if ours is not None and theirs is not None:
        left, right = ours, theirs
    left_calls, right_calls = _calls(primary), _calls(silent)
    return Beside(
        _compare(left, right, is_both=not any(absences)),
        _compare(left_calls, right_calls, is_both=not any(absences))
        if left_calls or right_calls
        else None,
        (max(0, len(left) - MOST_CHARACTERS), max(0, len(right) - MOST_CHARACTERS)),
        is_json,
        absences,
    )


def _compare(left: str, right: str, *, is_both: bool) -> Marked:
    left, right = left[:MOST_CHARACTERS], right[:MOST_CHARACTERS]
    if is_both:
        return mark(left, right)
    return Marked((Run(left, is_shared=True),), (Run(right, is_shared=True),))


def _text(kept: Kept | None) -> str:
    return first_text(kept.texts.choices or ()) if kept is not None else ""


def _calls(kept: Kept | None) -> str:
    return first_calls(kept.texts.choices or ()) if kept is not None else ""


def _tell(kept: Kept | None, *, is_reader: bool) -> str:
    if kept is None:
        return "nothing was ever sent"
    if kept.record.reason and kept.texts.choices is None:
        return f"it did not answer: {kept.record.reason}"
    if absence := tell_absence(kept, is_reader=is_reader):
        return absence
    return "" if kept.texts.choices is not None else "no answer is kept"

"""What an interval says of the subject: better, worse, or nothing clearly. Pure."""

from dataclasses import replace
from enum import StrEnum

from understudy.server.domain.estimates import Interval
from understudy.server.readout.wordings import Better, Form, Wording


class Tone(StrEnum):
    """What is said. Empty where nothing is compared, or neither way is better."""

    NONE = ""
    BETTER = "better"
    WORSE = "worse"
    UNCLEAR = "unclear"


def judge(found: Interval, wording: Wording) -> Tone:
    """Return what an interval says: nothing is better or worse whose interval has "the same"."""
    if wording.null is None or found.low == found.high:
        return Tone.NONE
    if found.low <= wording.null <= found.high:
        return Tone.UNCLEAR
    if wording.better is None:
        return Tone.NONE
    is_more = found.low > wording.null
    return Tone.BETTER if is_more == (wording.better is Better.MORE) else Tone.WORSE


def of_difference(wording: Wording) -> Wording:
    """Return the words for by how much something is more."""
    form = Form.POINTS if wording.form is Form.SHARE else wording.form
    return replace(wording, form=form, null=0.0)

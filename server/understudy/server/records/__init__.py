"""Keeps what happened: from the journal's events to rows, and back to records and pairs.

    fold, calls, cleaning, batch       events into rows; pure
    teller                             and into what sinks are told
    recorder                           the one thread of it all: folds, tells, has written
    keeping, writing                   what it does with the store
    tallies, rollups                   what calls add up to, by the minute and by the hour
    instances, processes               whose offers are lost
    retention, erasing                 what is deleted, and really gone
    schema                             the tables; how they came to be is `migrations`
    reading, conditions, rows          questions and answers
    searching                          how many rows are looked at to answer one
    figures                            questions about calls in the mass
    ratings                            what reviewers say of pairs
    feedback, joining                  what callers say of answers, maybe before these are written
    leases                             what silent models may cost all processes together
    switches                           pauses of the mirror, which outlive the process
    opening                            all of it together

Serving never waits for any of it.
"""

from understudy.server.records.feedback import FeedbackBook, FeedbackTally
from understudy.server.records.figures import Figures
from understudy.server.records.opening import Listeners, Records, open_records, open_teller
from understudy.server.records.ratings import Ratings
from understudy.server.records.reading import Reader
from understudy.server.records.recorder import Recorder, RecorderFigures
from understudy.server.records.switches import Pause, Switches

__all__ = [
    "FeedbackBook",
    "FeedbackTally",
    "Figures",
    "Listeners",
    "Pause",
    "Ratings",
    "Reader",
    "Recorder",
    "RecorderFigures",
    "Records",
    "Switches",
    "open_records",
    "open_teller",
]

"""Reads what a report is asked by, and writes reports and how far they are as messages."""

from collections.abc import Callable
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from understudy.server.domain.estimates import CONFIDENCE, Insufficient
from understudy.server.domain.reports import Figure, Progress, Question, Report, Section, Update
from understudy.server.errors import RequestError
from understudy.server.readout.lacking import tell_lack
from understudy.v1 import record_pb2

Tell = Callable[[str], str]

_NO_INSTANT: Final = "is no instant between the years 1 and 9999"


def read_report_request(request: record_pb2.GetReportRequest) -> Question:
    """Return what is asked. Raises RequestError, its `field` the faulty one."""
    start = _read_instant(request, "start_time")
    end = _read_instant(request, "end_time")
    return Question(parent=request.parent, group_by=request.group_by, start=start, end=end)


def write_update(update: Update, tell: Tell) -> record_pb2.GetReportResponse:
    """Return how far a report is, or the report. `tell` says what a metric means."""
    if isinstance(update, Progress):
        return record_pb2.GetReportResponse(progress=update.share)
    return record_pb2.GetReportResponse(report=write_report(update, tell))


def write_report(report: Report, tell: Tell) -> record_pb2.Report:
    """Return a report as a message."""
    return record_pb2.Report(
        name=f"reports/{report.id}",
        parent=report.parent,
        create_time=_write_instant(report.created),
        start_time=_write_instant(report.start),
        end_time=_write_instant(report.end),
        sections=[_write_section(one, tell) for one in report.sections],
        group_by=report.group_by,
        caveats=report.caveats,
    )


def _write_section(section: Section, tell: Tell) -> record_pb2.ReportSection:
    return record_pb2.ReportSection(
        group=section.group,
        epoch=section.epoch,
        subject=section.subject,
        baseline=section.baseline,
        estimates=[_write_figure(one, tell(one.metric)) for one in section.figures],
        caveats=section.caveats,
    )


def _write_figure(figure: Figure, meaning: str) -> record_pb2.Estimate:
    found = figure.found
    if isinstance(found, Insufficient):
        return record_pb2.Estimate(
            metric=figure.metric,
            confidence=CONFIDENCE,
            count=found.n,
            unit=figure.unit,
            meaning=meaning,
            absent_cause=tell_lack(found),
            absent_reason=found.why,
            needed_count=found.needed,
        )
    return record_pb2.Estimate(
        metric=figure.metric,
        value=found.estimate,
        lower=found.low,
        upper=found.high,
        confidence=CONFIDENCE,
        count=found.n,
        unit=figure.unit,
        method=found.method,
        meaning=meaning,
        p_value=found.p,
    )


def _read_instant(request: record_pb2.GetReportRequest, field: str) -> int | None:
    if not request.HasField(field):  # type: ignore[arg-type]
        return None
    try:
        stamp: Timestamp = getattr(request, field)
        stamp.ToDatetime()
        return stamp.ToMicroseconds()
    except (ValueError, OverflowError):
        raise RequestError(f"{field} {_NO_INSTANT}", field=field) from None


def _write_instant(microseconds: int) -> Timestamp:
    stamp = Timestamp()
    stamp.FromMicroseconds(microseconds)
    return stamp

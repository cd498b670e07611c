"""Reads a report back from its message, for commands that show it."""

from understudy.server.domain.estimates import Estimate, Insufficient, Interval, Lack, Method
from understudy.server.domain.reports import Figure, Report, Section, Unit
from understudy.v1 import record_pb2


def read_report(message: record_pb2.Report) -> Report:
    """Return a report. What a newer service says in words that are not known here is left out."""
    left = 0
    sections: list[Section] = []
    for one in message.sections:
        figures = [_read_figure(estimate) for estimate in one.estimates]
        left += figures.count(None)
        sections.append(
            Section(
                subject=one.subject,
                baseline=one.baseline,
                group=one.group,
                epoch=one.epoch,
                figures=tuple(figure for figure in figures if figure is not None),
                caveats=tuple(one.caveats),
            )
        )
    told = f"the service is newer than this command, which leaves out {left} of its figures"
    return Report(
        id=message.name.removeprefix("reports/"),
        parent=message.parent,
        group_by=message.group_by,
        created=message.create_time.ToMicroseconds(),
        start=message.start_time.ToMicroseconds(),
        end=message.end_time.ToMicroseconds(),
        sections=tuple(sections),
        caveats=(*message.caveats, *((told,) if left else ())),
    )


def _read_figure(estimate: record_pb2.Estimate) -> Figure | None:
    try:
        return Figure(metric=estimate.metric, unit=Unit(estimate.unit), found=_read_found(estimate))
    except ValueError:
        return None


def _read_found(estimate: record_pb2.Estimate) -> Estimate:
    if not estimate.HasField("value"):
        needed = estimate.needed_count if estimate.HasField("needed_count") else None
        return Insufficient(estimate.count, needed, Lack(estimate.absent_reason))
    return Interval(
        estimate.value,
        estimate.lower,
        estimate.upper,
        estimate.count,
        Method(estimate.method),
        estimate.p_value if estimate.HasField("p_value") else None,
    )

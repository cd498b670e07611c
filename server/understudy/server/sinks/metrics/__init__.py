"""What Prometheus is told: counts and times of calls, added up, and how the service is.

    families       every metric there is: name, unit, labels, how processes are added
    readings       the figures of a moment, as values that can go from process to process
    vocabulary     which names become label values, and which are `other`
    tallies        counts and histograms that only grow
    calls          the sink: tellings into tallies
    heartbeat      how late the serving loop is
    summing        several processes into one
    exposing       readings into the formats that Prometheus reads

Where the live figures of a process are read, and who listens, is `metrics_side`.
"""

from understudy.server.sinks.metrics.calls import CallMetrics
from understudy.server.sinks.metrics.exposing import expose
from understudy.server.sinks.metrics.heartbeat import Heartbeat
from understudy.server.sinks.metrics.readings import Reading
from understudy.server.sinks.metrics.summing import Summing

__all__ = ["CallMetrics", "Heartbeat", "Reading", "Summing", "expose"]

"""The configuration: LiteLLM's file and our section of it, read into values or refused with reasons.

    document, variables, includes      YAML into located nodes; os.environ/NAME; other files
    settings, section, units, seeds    our section: what there is to set, how it is read
    deployments, targets, silent       model_list
    defaults, aliases, fallbacks       router_settings and litellm_settings
    sink_settings, redaction, callbacks, sink_hosts    who is told of calls, and what of them
    standing_table, standings          what becomes of each key
    prices, price_lists, litellm_prices, rates    what deployments cost, and who says so
    report, notes, refusing            what an operator is told, and what stops a start
    loading                            all of it together

LiteLLM's way of writing things is known here and nowhere else.
"""

from understudy.server.config.loading import Config, Source, load, parse
from understudy.server.config.refusing import refusals
from understudy.server.config.report import DeploymentReport, KeyReport, Report
from understudy.server.config.settings import (
    DrainSettings,
    EgressSettings,
    ServerSettings,
    Settings,
    TlsSettings,
)
from understudy.server.config.standing_table import Standing

__all__ = [
    "Config",
    "DeploymentReport",
    "DrainSettings",
    "EgressSettings",
    "KeyReport",
    "Report",
    "ServerSettings",
    "Settings",
    "Source",
    "Standing",
    "TlsSettings",
    "load",
    "parse",
    "refusals",
]

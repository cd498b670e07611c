"""Tells an operator what is well formed and yet may surprise."""

from collections.abc import Mapping

from understudy.server.config.document import Node
from understudy.server.config.findings import Findings
from understudy.server.config.settings import Settings
from understudy.server.config.variables import find_unset
from understudy.server.domain.deployment import ModelGroup

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_CERTIFICATES = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSL_VERIFY",
    "SSL_CERTIFICATE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
)
_MASTER_KEY = "LITELLM_MASTER_KEY"


def note_environment(
    environ: Mapping[str, str], root: Node, settings: Settings, findings: Findings
) -> None:
    """Note variables that are meant and not set, and those that are set and not used."""
    for node, path in find_unset(root, ""):
        findings.note(f"{node.place}: {path}: the variable {node.variable} is not set")
    proxies = [name for name in _PROXIES if environ.get(name) or environ.get(name.lower())]
    if proxies:
        way = "directly" if settings.egress.proxy is None else "through understudy.egress.proxy"
        findings.note(f"{', '.join(proxies)} set and ignored: providers are reached {way}")
    if certificates := [name for name in _CERTIFICATES if environ.get(name)]:
        findings.note(
            f"{', '.join(certificates)} set and ignored: "
            "write understudy.egress.ca_file, or ssl_verify, to trust other authorities"
        )
    general = root.at("general_settings")
    if environ.get(_MASTER_KEY) and (general is None or general.at("master_key") is None):
        findings.note(
            f"{_MASTER_KEY} is set and not used; "
            f"write general_settings.master_key: os.environ/{_MASTER_KEY}"
        )


def note_redaction(settings: Settings, findings: Findings) -> None:
    """Note who would keep or send redacted texts, and has no patterns to redact them by."""
    if settings.redaction.patterns:
        return
    sinks = settings.sinks
    captures = {"understudy.records.capture": settings.records.capture}
    for name, sink in (
        ("otel", sinks.otel),
        ("langfuse", sinks.langfuse),
        ("bucket", sinks.bucket),
    ):
        if sink is not None:
            captures[f"understudy.sinks.{name}.capture"] = sink.capture
    for path, capture in captures.items():
        if capture == "redacted":
            findings.note(
                f"{path} is redacted, and understudy.redaction.patterns has no pattern: "
                "no text is captured there"
            )


def note_routes(groups: Mapping[str, ModelGroup], findings: Findings) -> None:
    """Note groups that serve nothing."""
    if not groups:
        findings.note("there is no model in model_list")
    for name, group in groups.items():
        if not any(weight for tier in group.tiers for weight in tier.weights):
            findings.note(f"model group {name!r} serves nothing: every weight is 0")
        elif all(one.unusable for one in group.deployments):
            findings.note(f"model group {name!r} serves nothing: no deployment can be asked")

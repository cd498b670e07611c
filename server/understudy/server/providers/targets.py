"""What a deployment says of where its prompts go, and where that turns out to be. Values only.

`catalog` leads from one to the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from understudy.server.domain.deployment import Endpoint, Secret, Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureLogin:
    """What an application registered with Microsoft Entra signs in with. Empty and `None` mean unsaid."""

    tenant_id: Secret | None = None
    client_id: Secret | None = None
    client_secret: Secret | None = None
    scope: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a deployment says of where its prompts go. Empty and `None` mean unsaid.

    `unset` names, by parameter, the environment variables that are meant and not there.
    """

    model: str
    provider: str = ""  # custom_llm_provider
    api_base: str = field(default="", repr=False)
    api_key: Secret | None = None
    api_version: str = ""
    azure_ad_token: Secret | None = None
    azure_login: AzureLogin = AzureLogin()
    organization: str = ""
    extra_headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    trust: Trust | None = None
    unset: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a deployment's prompts go. `endpoint` is `None` exactly if `unusable` says why."""

    provider: str
    model: str
    endpoint: Endpoint | None = None
    unusable: str = ""
    is_reasoning: bool = False  # the operator says so
    key_name: str = ""  # the variable or the place in the file, empty if no key is sent
    note: str = ""
    expires: float | None = None  # when its pasted token does, in seconds since 1970

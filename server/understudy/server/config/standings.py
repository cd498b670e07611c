"""Finds what becomes of a key. The table itself is `standing_table`.

Names are paths without indices, such as `litellm_params.weight`; where a key's meaning is in its
value, as with callbacks, the value is the last step: `litellm_settings.success_callback.langfuse`.
"""

import re
from dataclasses import dataclass
from fnmatch import translate

from understudy.server.config.standing_table import SOUNDS_PROTECTIVE, TABLE, Standing


@dataclass(frozen=True, slots=True)
class Rule:
    """A key's standing and why. `sent` says that it goes to the provider with every prompt."""

    standing: Standing
    why: str = ""
    sent: bool = False


_UNKNOWN = "not a key that this version knows"
_SENT = Rule(Standing.HONOURED, "sent with every prompt", sent=True)


def find_rule(name: str) -> Rule:
    """Return what becomes of the key of this name."""
    section, _, key = name.partition(".") if "." in name else ("", "", name)
    for pattern, rule in _RULES.get(section, ()):
        if pattern.fullmatch(key):
            return rule
    if section == "litellm_params":
        return _SENT
    if _PROTECTIVE.fullmatch(key):
        return Rule(Standing.MISSED, f"{_UNKNOWN}, and its name sounds as if it mattered")
    return Rule(Standing.IGNORED, _UNKNOWN)


def _compile(patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern) for pattern in patterns.split()))


_PROTECTIVE = _compile(SOUNDS_PROTECTIVE)
_RULES = {
    section: tuple((_compile(patterns), Rule(standing, why)) for standing, why, patterns in rows)
    for section, rows in TABLE.items()
}

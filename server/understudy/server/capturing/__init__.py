"""What of a call may be told: `redactor` replaces what an operator's patterns find, `levels` says
what is left of a telling at each level of `capture`. Pure; who keeps or sends it is not known here.
"""

from understudy.server.capturing.levels import Capture, Levels
from understudy.server.capturing.redactor import Pattern, PatternError, Redactor

__all__ = ["Capture", "Levels", "Pattern", "PatternError", "Redactor"]

"""The words in which people ask about what was recorded, and are told of it. Pure.

    record_filter   filters: text → condition
    text_absence    why a prompt or an answer is not shown

Calls and pages share them, so that both mean and say the same.
"""

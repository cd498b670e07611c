"""What the processes of a host have in common: how they speak, refuse, start and step back.

    link            a conversation over a socket that has no other holder
    refusals        our own errors as messages
    starting        a new program with nothing secret around it
    stepping_back   what it leaves to those who answer callers

Which processes there are, and what they say, is their own: `workers`, `dashboard_process`,
`reporting`.
"""

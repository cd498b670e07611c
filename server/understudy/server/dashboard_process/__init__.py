"""The dashboard's process, and how the service and it speak.

    side, keeping    in the service: where it listens, and a process that is kept alive
    answering        in the service: what the process may ask it to do
    messages         what the two say to each other
    child            the process: the dashboard, over what was recorded, and stand-ins
    stand_ins        for what lives in the service

A page is worked out where it can hold up nobody who asks a model: neither the interpreter nor the
memory is theirs, and the processor is theirs first. No provider's key is in that process.
"""

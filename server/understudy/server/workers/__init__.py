"""A service of several processes: one that controls, and several that serve on one port.

The parent keeps experiments and records, and answers for them; it listens only on a socket that
no other user can open (`running`). It starts its workers, replaces those that die, and hands each
what serves (`fleet`, `child`). A worker answers completions from what it was handed, and passes
all other calls on (`worker`). The two speak over a pair of sockets (`link`, `messages`).
"""

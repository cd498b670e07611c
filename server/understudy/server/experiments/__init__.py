"""Changes experiments while they serve, and keeps what serves in step with the store.

What an experiment may become is decided by pure functions, to which ids, salts, revisions and the
time are handed in; `desk` and `following` alone wait for anything. Storing is `store`'s, who gets
which variant `routing.assignment`'s.

    changes      one function for each change: all return a Change, or raise and change nothing
    allowing     what may change in which state
    checking     what an experiment must be to be stored, and
    overrides    what it may change in a prompt
    masks        which fields an update means
    causes       what changed, in words
    registering  an experiment from the weights that a caller sent
    documents    experiments as people write them
    writing      YAML as people would write it
    seeding      experiments that the configuration file brings along
    lacking      which groups experiments name that the file does not have
    permanent    what to write into the configuration file once a winner is known
    desk         the story of one change
    following    keeps what serves in step
    lanes        threads for what blocks, apart from everybody else's
    seams        what these two need from the world
"""

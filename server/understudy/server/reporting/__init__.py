"""Computes reports: what is recorded of models, turned into figures that say how sure they are.

    computing                          from a question to a report, with progress
    scopes                             what is asked for, or what to write instead
    columns, labels                    millions of observations in little memory
    pairs, pair_views, pair_sections   a silent model beside its primary
    pair_speeds, pair_costs, pair_answers    what is said of pairs
    calls, variant_views, variant_sections    variants of an experiment beside its control
    variant_figures, feedback                 what is said of them
    arms, combining, allotment         sticky keys, epochs, and whether shares came out as meant
    rents                              what a rented endpoint costs for each call
    sheets, metrics                    figures by name, and what each one means
    running, desk, gathering           who asks the service for reports, and what they are told
    child, worker, wire                the process that computes one

Reads the store through `records`, takes all statistics from `evaluation`. It computes for seconds
and imports scipy: run it in a process of its own. How a report is shown is not said here.
"""

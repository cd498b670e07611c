"""Where people look, and change experiments: pages for a browser, and what serves them.

    serving, listening, wire    a thread and an event loop of their own, sockets, connections
    site                        the application: pages, static files, and the doors before them
    doors, hosts, bounds        which requests come in at all
    sessions, cookies, login    who asks, and what proves it; `throttle` slows who guesses
    visit, page, calls          one request as a page sees it; what a page is, and stands for
    faults, reports             what went wrong, for people; what browsers refused
    house, seams                what there is to show, and how to reach it from this thread
    lists, controls             pages of a list found again by address; form fields and filters
    words, marking, sides       what was said, and which words of two answers differ
    status                      how deployments and the mirror are, put in order
    rendering, formats, assets  templates, figures as text, files with a hash in their name
    sheets, merging             an experiment as a form holds it, and two people's edits joined
    differences                 what differs between two states of one
    pages/                      the pages themselves

What a page shows comes from the same objects that the RPCs ask, be it from another process
(`dashboard_process`), and each page names the RPC that it stands for: who may call that may see the
page.
"""

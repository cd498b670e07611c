"""Prices and what comes of them. Pure: the time of a call comes in as an argument.

    tariffs     which tariff holds at an instant
    charging    what a call cost
    attempts    what one upstream call cost, whichever way it ended
    estimating  how many tokens there were, where nobody says
    reserving   what a call can cost at most
    ledgers     who spent how much: primary, retry, fallback, silent
    catalogue   the published price lists, behind a port

What the operator says of prices is read in `config`; spending is stopped in `mirror`.
"""

"""Why a copy is not sent: the reasons of the outcome SHED, and what a copy may wait for."""

from enum import StrEnum


class Shed(StrEnum):
    """Why a copy that was offered was never sent."""

    QUEUE_FULL = "QUEUE_FULL"
    QUEUE_BYTES = "QUEUE_BYTES"
    TOO_OLD = "TOO_OLD"  # it waited too long for its thread
    IN_FLIGHT = "IN_FLIGHT"  # it waited too long for one of all seats
    IN_FLIGHT_PER_MODEL = "IN_FLIGHT_PER_MODEL"  # likewise, for one of its model's
    PAUSED = "PAUSED"
    BUDGET = "BUDGET"
    QUOTA = "QUOTA"  # what is left of a shared quota is the primary's
    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    WAKING = "WAKING"
    STOPPING = "STOPPING"


class Hold(StrEnum):
    """What a copy waits for; the value is why it is shed if it waits too long."""

    ALL_SEATS = Shed.IN_FLIGHT.value
    MODEL_SEATS = Shed.IN_FLIGHT_PER_MODEL.value
    MONEY = Shed.BUDGET.value  # more of the cap is being leased

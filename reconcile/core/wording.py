"""Numbers of units and moments as every sentence has them.

Pure words; what is said of them stands where it is decided.
"""

from datetime import UTC, datetime


def in_units(count: int) -> str:
    """A number of units."""
    return "1 unit" if count == 1 else f"{count} units"


def in_utc(moment: datetime) -> str:
    """A moment as people read it, to the minute."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

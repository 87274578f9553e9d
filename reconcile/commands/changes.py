"""How an edit says "leave it as it is" where None already means something."""

from enum import Enum


class Unset(Enum):
    """The type of `UNSET`."""

    UNSET = "UNSET"


UNSET = Unset.UNSET
"""This value stays as it is."""

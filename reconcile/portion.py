"""What an adapter gets at once, how far it is with it, and what ends it between two requests.

Only remembers; `reconcile.execute` decides and commits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import RowMapping

from reconcile.core.types import RemoteRef
from reconcile.results import Ended


@dataclass(slots=True)
class Portion:
    """What was handed to the adapter at once, and how far it is."""

    by_key: Mapping[str, RowMapping]
    observed_at: datetime
    """When the last request left."""
    open_keys: set[str] = field(default_factory=set)
    """Carried by the last request and without a result."""
    touched: set[str] = field(default_factory=set)
    """Named by any request so far."""
    done: set[str] = field(default_factory=set)
    ended: list[Ended] = field(default_factory=list)
    """Final results that are not committed yet."""
    existing: list[RemoteRef] = field(default_factory=list)

    @property
    def sent(self) -> list[RowMapping]:
        """Rows of the last request that have no result."""
        return [row for key, row in self.by_key.items() if key in self.open_keys]

    @property
    def begun(self) -> list[RowMapping]:
        """Rows of earlier requests, which were answered, that have no result yet."""
        named = self.touched - self.done - self.open_keys
        return [row for key, row in self.by_key.items() if key in named]

    @property
    def left(self) -> list[RowMapping]:
        """Rows without a result, sent or not."""
        return [row for key, row in self.by_key.items() if key not in self.done]


class StoppedError(Exception):
    """Between two requests: the slice is over, or a person paused the channel or canceled."""


class MovedError(Exception):
    """Between two requests: one of the next rows is not what was planned, or ended, meanwhile."""

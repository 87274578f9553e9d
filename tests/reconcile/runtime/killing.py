"""Ends workers at their commits, for tests of what the next one makes of it."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine


class Killer:
    """Ends a worker before its n-th commit, and whatever it still tries to commit after that."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.commits = 0

    def __call__(self, connection: Any) -> None:
        """Count a commit that is about to happen."""
        del connection
        self.commits += 1
        if self.at is not None and self.commits >= self.at:
            raise asyncio.CancelledError


@contextlib.contextmanager
def killing(engine: AsyncEngine, killer: Killer) -> Iterator[None]:
    """Let the killer see every commit of an engine."""
    event.listen(engine.sync_engine, "commit", killer)
    try:
        yield
    finally:
        event.remove(engine.sync_engine, "commit", killer)

"""Turns: how the channels share the slots of one worker.

Work on a channel's side lasts a slice and keeps a slot. While all slots are taken, whoever works
asks after each request whether orders wait for one, and gives its slot up: a shipment never waits
for the end of a slice, at most for the request that is under way. Among the orders of several
channels those go first that were served least, so a new shipment overtakes a long queue of them.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.core.types import Side
from reconcile.store import sweeping

FEW = 5
"""Requests by which one side may be ahead of another; a shipment takes fewer."""


@dataclass(slots=True)
class Turns:
    """The slots of one worker."""

    slots: int
    taken: int = 0
    served: dict[int, int] = field(default_factory=dict)
    """Requests for the orders of the channels that have more to do, on a common scale."""

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Take a slot; the queue hands out no more jobs than there are."""
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    def rests(self, channel_id: int, side: Side) -> None:
        """There is nothing more to do there for now: who comes back is new."""
        if side is Side.ORDERS:
            self.served.pop(channel_id, None)

    async def are_wanted(
        self, engine: AsyncEngine, channel_id: int, side: Side, now: datetime
    ) -> bool:
        """After a request of this side of this channel: whether it is to give up its slot."""
        mine = self._served(channel_id) + 1
        if side is Side.ORDERS:
            self.served[channel_id] = mine
        return await self.come_later(engine, channel_id, side, now, mine)

    async def come_later(
        self,
        engine: AsyncEngine,
        channel_id: int,
        side: Side,
        now: datetime,
        served: int | None = None,
    ) -> bool:
        """Whether others go before this side of this channel, and there is no slot for both."""
        mine = self._served(channel_id) if served is None else served
        if self.taken < self.slots:
            return False
        async with engine.connect() as conn:
            waiting = await sweeping.waiting_orders(conn, now)
        if side is not Side.ORDERS:
            return bool(waiting)
        return any(self._served(it) + FEW <= mine for it in waiting if it != channel_id)

    def _served(self, channel_id: int) -> int:
        """Who is new goes before all others."""
        return self.served.get(channel_id, min(self.served.values(), default=0) - 2 * FEW)

"""Leases: one holder per channel and side, with a fencing token, on the database's clock.

Every transaction of the runtime starts with `fence`: it locks the lease row until the commit, so
that a holder whose lease was taken over cannot commit any more, and renews the lease by the way.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, or_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.core.types import Side
from reconcile.store.tables import leases


class LeaseLostError(Exception):
    """Another holder has taken the lease; what was not committed is theirs to find out."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one side of one channel until it expires or is taken over."""

    channel_id: int
    side: Side
    epoch: int
    """Fencing token: grows with every holder."""
    holder: str
    length: timedelta


async def take(
    conn: AsyncConnection, channel_id: int, side: Side, holder: str, length: timedelta
) -> Lease | None:
    """Take the lease if it is free or expired; None while another holder has it."""
    now = func.clock_timestamp()
    statement = insert(leases).values(
        channel_id=channel_id, side=side, epoch=1, holder=holder, expires_at=now + length
    )
    statement = statement.on_conflict_do_update(
        index_elements=[leases.c.channel_id, leases.c.side],
        set_={"epoch": leases.c.epoch + 1, "holder": holder, "expires_at": now + length},
        where=or_(leases.c.expires_at.is_(None), leases.c.expires_at < now),
    )
    epoch = (await conn.execute(statement.returning(leases.c.epoch))).scalar_one_or_none()
    return None if epoch is None else Lease(channel_id, side, epoch, holder, length)


async def fence(conn: AsyncConnection, lease: Lease) -> None:
    """Prove inside this transaction that the lease is still ours, and renew it."""
    now = func.clock_timestamp()
    statement = (
        update(leases)
        .where(
            leases.c.channel_id == lease.channel_id,
            leases.c.side == lease.side,
            leases.c.epoch == lease.epoch,
            leases.c.holder == lease.holder,
            leases.c.expires_at > now,
        )
        .values(expires_at=now + lease.length)
    )
    if (await conn.execute(statement)).rowcount != 1:
        raise LeaseLostError(f"lease {lease.epoch} on channel {lease.channel_id} was taken over")


async def release(conn: AsyncConnection, lease: Lease) -> None:
    """Give the lease back, if it is still ours."""
    await conn.execute(
        update(leases)
        .where(
            leases.c.channel_id == lease.channel_id,
            leases.c.side == lease.side,
            leases.c.epoch == lease.epoch,
        )
        .values(holder=None, expires_at=None)
    )


async def end_of(conn: AsyncConnection, holder: str) -> int:
    """Free the leases of a holder that is known to be dead; returns how many it had.

    What it was sending is found out by the next holder, as after any end.
    """
    now = func.clock_timestamp()
    statement = (
        update(leases)
        .where(leases.c.holder == holder, leases.c.expires_at > now)
        .values(expires_at=now)
    )
    return (await conn.execute(statement)).rowcount

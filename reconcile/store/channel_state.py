"""What the runtime says about a channel as a whole: paused with a reason, waiting for budget."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


async def is_current(conn: AsyncConnection, channel_id: int, revision: int) -> bool:
    """Whether settings, templates, policy and account are still these; they stay until the end.

    Who changes them locks the channel first and then marks what follows from them as stale.
    """
    found = await conn.execute(
        text("SELECT revision FROM channels WHERE id = :id FOR SHARE"), {"id": channel_id}
    )
    return bool(found.scalar_one() == revision)


async def _say(
    conn: AsyncConnection, channel_id: int, about: str, reason: str, message: str
) -> None:
    await conn.execute(
        text("""
INSERT INTO conditions AS c (channel_id, object_kind, object_id, type, status, reason, message)
VALUES (:channel_id, 'channel', :channel_id, :about, 'ATTENTION', :reason, :message)
ON CONFLICT (object_kind, object_id, type) DO UPDATE SET status = excluded.status,
    reason = excluded.reason, message = excluded.message,
    since = CASE WHEN c.reason = excluded.reason THEN c.since ELSE now() END
"""),
        {"channel_id": channel_id, "about": about, "reason": reason, "message": message},
    )


async def clear(conn: AsyncConnection, channel_id: int, about: str) -> None:
    """The condition of that type no longer holds."""
    await conn.execute(
        text("""
DELETE FROM conditions
WHERE object_kind = 'channel' AND object_id = :channel_id AND type = :about
"""),
        {"channel_id": channel_id, "about": about},
    )


async def pause_channel(conn: AsyncConnection, channel_id: int, reason: str, message: str) -> None:
    """Nothing leaves any more until a person has mended the cause and resumed the channel."""
    await conn.execute(
        text("""
UPDATE channels SET paused = true, pause_reason = :reason, pause_message = :message
WHERE id = :channel_id
"""),
        {"channel_id": channel_id, "reason": reason, "message": message},
    )
    await _say(conn, channel_id, "Account", reason, message)


async def show_budget(
    conn: AsyncConnection, channel_id: int, until: datetime, message: str
) -> None:
    """The account's request budget is used up until then (T12)."""
    when = until.strftime("%Y-%m-%d %H:%M:%S UTC")
    await _say(conn, channel_id, "Budget", "RateLimited", f"{message}. Goes on at {when}")


async def show_incomplete(conn: AsyncConnection, channel_id: int, message: str) -> None:
    """The last full walk was not complete, so nothing was concluded from what it did not show."""
    await _say(conn, channel_id, "Mirror", "Incomplete", message)

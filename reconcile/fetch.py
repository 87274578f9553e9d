"""The fetching half of a run: the account checked, pages streamed into the mirror, absence proved.

Every page commits together with the cursor behind it, so a slice or a worker can end anywhere.
"""

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile import identity
from reconcile.contract import Gone, ListingPage
from reconcile.core.types import RemoteListing, RemoteRef
from reconcile.execute import Execution
from reconcile.store import mirror, run_rows
from reconcile.store.channel_state import clear, show_incomplete

READ_AT_ONCE = 100
"""References read by id in one go; a platform may need several requests for them."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One stretch of work on a run: what it may use, and until when."""

    execution: Execution
    run_id: int
    until: datetime
    with_content: bool
    """False for operations that compare what selling needs only."""

    @property
    def is_over(self) -> bool:
        """Time to commit and let others have a turn."""
        return self.execution.gives_way or self.execution.deps.clock() >= self.until


async def check_account(part: Slice) -> None:
    """Compare who we speak to with who the channel was connected to, unless just done."""
    await identity.check(part.execution)


async def fetch_all(part: Slice, phase: dict[str, Any]) -> bool:
    """Go on with the walk through all products; True when the platform's own end was reached."""
    execution = part.execution
    channel = execution.channel
    cursor: Mapping[str, Any] | None = phase.get("cursor")
    walk = cast(
        "AsyncGenerator[ListingPage]",
        execution.adapter.listings(cursor, with_content=part.with_content),
    )
    async with contextlib.aclosing(walk) as pages:
        async for page in pages:
            phase["cursor"] = dict(page.cursor)
            phase["total"] = page.total if page.total is not None else phase.get("total")
            phase.setdefault("walk_started_at", page.observed_at.isoformat())
            async with execution.fenced() as conn:
                await mirror.observe(
                    conn,
                    channel.id,
                    channel.their_identifier,
                    page.rows,
                    page.observed_at,
                    snapshot=part.run_id,
                )
                known = await mirror.keep(conn, channel.id, page.rejected, part.run_id)
                phase["rejected"] = phase.get("rejected", 0) + len(page.rejected) - known
                await run_rows.save_phase(conn, part.run_id, phase)
                await _count_page(part, conn, page, phase)
            if page.is_last:
                return True
            if page.wait is not None:
                phase["wait_until"] = (execution.deps.clock() + page.wait).isoformat()
                return False
            await execution.heed()
            if part.is_over:
                return False
    return True


async def _count_page(
    part: Slice, conn: AsyncConnection, page: ListingPage, phase: Mapping[str, Any]
) -> None:
    await run_rows.add_counts(
        conn,
        part.run_id,
        {
            "products_seen": len(page.rows) + len(page.rejected),
            "products_rejected": len(page.rejected),
        },
    )
    if phase.get("total") is not None:
        await run_rows.set_counts(conn, part.run_id, {"products_total": phase["total"]})


async def conclude_walk(part: Slice, phase: dict[str, Any]) -> None:
    """After the end of a walk: is it complete? Only then is anything concluded from absence."""
    execution = part.execution
    channel = execution.channel
    async with execution.fenced() as conn:
        seen = await mirror.count_snapshot(conn, channel.id, part.run_id) + phase.get("rejected", 0)
        total = phase.get("total")
        is_complete = total is None or abs(seen - total) * 100 <= max(total, 1)
        phase["complete"] = is_complete
        if is_complete:
            started = datetime.fromisoformat(
                phase.get("walk_started_at", execution.deps.clock().isoformat())
            )
            absent = await mirror.mark_absent(conn, channel.id, part.run_id, started)
            await run_rows.set_counts(conn, part.run_id, {"products_absent": absent})
            await conn.execute(
                text("UPDATE channels SET mirror_complete_at = :at WHERE id = :id"),
                {"at": started, "id": channel.id},
            )
            await clear(conn, channel.id, "Mirror")
        else:
            await show_incomplete(
                conn,
                channel.id,
                f"The store said it has {total} products, and {seen} were seen. Nothing is "
                "concluded from what is missing; the next full run looks again",
            )
        await run_rows.save_phase(conn, part.run_id, phase)


async def read_refs(part: Slice, refs: Sequence[RemoteRef]) -> None:
    """Read objects by id into the mirror; what is gone becomes a tombstone."""
    execution = part.execution
    channel = execution.channel
    observed_at = execution.deps.clock()
    answers = await execution.adapter.read(refs, with_content=part.with_content)
    seen: dict[str, RemoteListing] = {}
    gone: dict[RemoteRef, Gone] = {}
    for ref, answer in answers.items():
        if isinstance(answer, Gone):
            gone[ref] = answer
        else:
            seen[answer.id] = answer
    if gone:
        # Of another store at the same address everything is gone; that proves nothing.
        await identity.check(execution, asked_since=observed_at)
    async with execution.fenced() as conn:
        await mirror.observe(conn, channel.id, channel.their_identifier, seen.values(), observed_at)
        await mirror.mark_gone(conn, channel.id, gone, observed_at)
        await run_rows.add_counts(
            conn, part.run_id, {"objects_read": len(answers), "objects_gone": len(gone)}
        )
    await execution.heed()


async def verify_absent(part: Slice, phase: dict[str, Any]) -> bool:
    """Read linked objects that a complete walk did not show; True when done (or enough)."""
    execution = part.execution
    limit = execution.deps.tuning.verify_limit
    while not part.is_over:
        done = phase.get("verified", 0)
        async with execution.fenced() as conn:
            refs = await mirror.absent_linked(
                conn, execution.channel.id, phase.get("verify_after", 0), READ_AT_ONCE
            )
        if not refs or done >= limit:
            return True
        await read_refs(part, [ref for _, ref in refs])
        phase["verify_after"] = refs[-1][0]
        phase["verified"] = done + len(refs)
        async with execution.fenced() as conn:
            await run_rows.save_phase(conn, part.run_id, phase)
    return False


async def read_candidates(part: Slice, phase: dict[str, Any]) -> bool:
    """A partial run looks at what it is about before it plans; True when all was read."""
    execution = part.execution
    while not part.is_over:
        async with execution.fenced() as conn:
            listing_id, mirror_id = phase.get("read_after", (0, 0))
            refs = await mirror.linked_refs(
                conn, part.run_id, (listing_id, mirror_id), READ_AT_ONCE
            )
        if not refs:
            return True
        await read_refs(part, [ref for _, ref in refs])
        phase["read_after"] = refs[-1][0]
        async with execution.fenced() as conn:
            await run_rows.save_phase(conn, part.run_id, phase)
    return False

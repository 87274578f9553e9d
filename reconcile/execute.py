"""Executing actions: portions to the adapter, every step committed behind the fence.

A request leaves only after `Sending` was committed, and with its own time-out still left on the
lease. What an error means is decided by its effect: NONE is retried (or bisected, or failed), after
POSSIBLE the action is UNKNOWN and only a look at the platform decides.
"""

import contextlib
import random
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import assert_never, cast

import structlog
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile import identity, looking, poisoned
from reconcile.contract import (
    Adapter,
    AdapterError,
    Confirmation,
    ConfirmState,
    Effect,
    GoneError,
    Progress,
    RateLimitedError,
    RejectedError,
    Result,
    Sending,
    Step,
    UnauthorizedError,
    UnsupportedError,
)
from reconcile.core.actions import ActionKind, Outcome
from reconcile.core.types import RemoteRef
from reconcile.deps import Deps
from reconcile.portion import MovedError, Portion, StoppedError
from reconcile.results import FINAL, Ended
from reconcile.side_work import WORK, SideWork, Writes
from reconcile.store import actions as action_rows
from reconcile.store import mirror, run_rows
from reconcile.store.channel_state import pause_channel, show_budget
from reconcile.store.channels import Channel
from reconcile.store.leases import Lease, LeaseLostError, fence
from reconcile.turns import Turns

log = structlog.get_logger()

PORTION_BATCHES = 10
"""An adapter gets this many full batches at once, so that it can group rows by request."""
LOOK_AFTER = timedelta(seconds=5)
"""A first look at an unknown outcome comes this soon; NOT_DONE counts after the settle time."""
MOST_TRIES = 12
"""Transient failures after which an action is FAILED; the next run tries it again."""


@dataclass(slots=True)
class Execution:
    """One lease holder's work on the due actions of a channel's side."""

    deps: Deps
    lease: Lease
    channel: Channel
    adapter: Adapter
    sending: list[int] = field(default_factory=list)
    """Ids of the actions whose request is under way; the log of exchanges names them."""
    blocked_until: datetime | None = None
    """Nothing more leaves in this slice: budget used up or channel paused."""
    until: datetime | None = None
    """End of the slice: of the requests of a portion, the first leaves, later ones until then."""
    is_stopped: bool = False
    """Nothing more leaves in this slice: it is over, or a person said so."""
    checked_at: datetime | None = None
    """When this slice last asked the platform whose account it is."""
    turns: Turns | None = None
    gives_way: bool = False
    """The slice ends early: orders of another channel wait for its slot."""

    @property
    def work(self) -> SideWork:
        """What is particular to this side of the channel."""
        return WORK[self.lease.side]

    @contextlib.asynccontextmanager
    async def fenced(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that commits only while the lease is ours."""
        async with self.deps.engine.begin() as conn:
            await fence(conn, self.lease)
            yield conn

    @property
    def settle_time(self) -> timedelta:
        """How long a request may still be at work on the platform."""
        return self.deps.tuning.settle or self.channel.platform.settle_time

    def back_off(self, tries: int, asked: timedelta | None = None) -> datetime:
        """When to try again after so many tries."""
        tuning = self.deps.tuning
        grown = min(tuning.retry_base * (1 << min(tries, 20)), tuning.retry_cap)
        jittered = grown * random.uniform(0.7, 1.3)  # noqa: S311 - spreads load, guards nothing
        return self.deps.clock() + max(jittered, asked or timedelta())

    async def heed(self) -> bool:
        """After a request: whether the slice ends here, because its slot is wanted."""
        if self.turns is not None and not self.gives_way:
            now = self.deps.clock()
            self.gives_way = await self.turns.are_wanted(
                self.deps.engine, self.channel.id, self.lease.side, now
            )
        return self.gives_way

    async def advance(self) -> bool:
        """Send one portion, or look at one portion of unknown outcomes; False: nothing is due."""
        if self.blocked_until is not None or self.is_stopped:
            return False
        is_due = await self._look_at_unknown() or await self._send_due()
        if is_due:
            await self.heed()
        return is_due

    async def _look_at_unknown(self) -> bool:
        async with self.fenced() as conn:
            unknown = await action_rows.unknown_batch(
                conn, self.channel.id, self.lease.side, 100, self.deps.clock()
            )
        for rows, writes in await poisoned.by_halves(
            self.fenced, unknown, self._put_together, self._look_in_vain
        ):
            if rows:
                await looking.look(self, rows, writes)
        return bool(unknown)

    async def _send_due(self) -> bool:
        portion = {
            kind.value: support.batch_size * PORTION_BATCHES
            for kind, support in self.channel.platform.actions.items()
        }
        async with self.fenced() as conn:
            rows = await action_rows.next_batch(
                conn, self.channel.id, self.lease.side, portion, self.deps.clock()
            )
        parts = await poisoned.by_halves(self.fenced, rows, self._still_to_send, self._give_up)
        going = [row for part, _ in parts for row in part]
        if going:
            await self._send(going, [write for _, writes in parts for write in writes])
        return bool(rows)

    async def _put_together(
        self, conn: AsyncConnection, rows: Sequence[RowMapping]
    ) -> tuple[Sequence[RowMapping], Writes]:
        return rows, await self.work.build(conn, self.channel, rows)

    async def _still_to_send(
        self, conn: AsyncConnection, rows: Sequence[RowMapping]
    ) -> tuple[Sequence[RowMapping], Writes]:
        moved = await self.work.outdated(conn, self.channel, rows)
        for action_id, message in moved.items():
            await action_rows.finish(conn, [action_id], "STALE", "WorldMoved", message)
        dropped = [row for row in rows if row["id"] in moved]
        await self.work.look_again(conn, self.channel, dropped, "WorldMoved")
        return await self._put_together(conn, [row for row in rows if row["id"] not in moved])

    async def _give_up(self, row: RowMapping) -> None:
        """Of a poisoned row: it waits for another input, like everything that failed for good."""
        result = Result(row["key"], Outcome.FAILED, poisoned.CODE, poisoned.MESSAGE)
        await self.end([Ended(row, result)], self.deps.clock())

    async def _look_in_vain(self, row: RowMapping) -> None:
        nobody = Confirmation(ConfirmState.CANNOT_TELL, poisoned.MESSAGE)
        await looking.conclude(self, [row], {row["key"]: nobody})

    async def _is_ours(self, rows: Sequence[RowMapping]) -> bool:
        """Whether the rows may leave: they may have waited long, and the address lead elsewhere."""
        try:
            await identity.check(self)
        except identity.AccountChangedError:
            self.blocked_until = self.deps.clock()
            return False
        except (UnauthorizedError, RateLimitedError) as error:
            await self._failed_request(error, rows, ())
            return False
        except AdapterError as error:
            await self._retry(rows, error.retry_after, error.code, error.message)
            return False
        return True

    # --- sending ------------------------------------------------------------------------

    async def _send(self, rows: Sequence[RowMapping], writes: Writes) -> None:
        if not await self._is_ours(rows):
            return
        portion = Portion({row["key"]: row for row in rows}, self.deps.clock())
        progress = self.work.send(self.adapter, ActionKind(rows[0]["kind"]), writes)
        try:
            async with contextlib.aclosing(cast("AsyncGenerator[Progress]", progress)) as events:
                async for event in events:
                    await self._take(portion, event)
            await self._flush(portion)
            # An adapter that gives no result has broken its promise; nothing is assumed.
            await self._become_unknown(portion.sent, "NoResult", "The adapter gave no result")
        except AdapterError as error:
            await self._flush(portion)
            await self._failed_request(error, portion.sent, portion.left)
            message = f"It goes on where it was; another one ended the batch ({error.message})"
            await self._go_on_later(portion.begun, error.code, message)
        except LeaseLostError:
            raise
        except StoppedError:
            await self._flush(portion)
            self.is_stopped = True
        except MovedError:
            # The others are put together anew; what moved drops out, with its reason.
            await self._flush(portion)
            going = [*portion.begun, *portion.sent]
            await self._go_on_later(going, "Moved", "Another row of its batch ended meanwhile")
        except Exception:
            # A defect of ours: what may be under way is unknown, the rest waits and does not spin.
            log.exception("adapter failed", channel_id=self.channel.id, kind=rows[0]["kind"])
            await self._flush(portion)
            unsent = [row for row in portion.left if row["key"] not in portion.open_keys]
            await self._become_unknown(portion.sent, poisoned.CODE, poisoned.MESSAGE)
            if portion.touched or len(unsent) == 1:
                await self._retry(unsent, None, poisoned.CODE, poisoned.MESSAGE)
            else:
                await self._in_smaller_parts(unsent, poisoned.CODE, poisoned.MESSAGE)
        finally:
            self.sending.clear()
        await self._adopt(portion.existing)

    async def _take(self, portion: Portion, event: Progress) -> None:
        match event:
            case Sending(keys=keys):
                await self._flush(portion)
                rows = [portion.by_key[key] for key in keys]
                ids = [row["id"] for row in rows]
                async with self.fenced() as conn:
                    # An action that has begun is not left half done on the store.
                    if portion.touched <= portion.done:
                        if await self._ends(conn, portion, ids):
                            raise StoppedError
                        if await self.work.outdated(conn, self.channel, rows):
                            raise MovedError
                    if not await action_rows.mark_sending(conn, ids, self.lease.epoch):
                        raise MovedError
                portion.observed_at = self.deps.clock()
                portion.open_keys = set(keys)
                portion.touched |= portion.open_keys
                self.sending[:] = ids
            case Step(key=key):
                async with self.fenced() as conn:
                    await action_rows.add_step(conn, portion.by_key[key]["id"], event)
            case Result(key=key):
                portion.open_keys.discard(key)
                portion.done.add(key)
                if event.existing is not None:
                    portion.existing.append(event.existing)
                if event.outcome in FINAL:
                    portion.ended.append(Ended(portion.by_key[key], event))
                else:
                    await self._unfinished(portion.by_key[key], event)
            case _:
                assert_never(event)

    async def _ends(self, conn: AsyncConnection, portion: Portion, ids: Sequence[int]) -> bool:
        """Whether no further request leaves: the slice is over, paused, or the run is canceled.

        Between two requests a run that is to plan comes first: what it finds may be more urgent.
        """
        now = self.deps.clock()
        if portion.touched and (await self.heed() or (self.until and now >= self.until)):
            return True
        side = self.lease.side
        if portion.touched and await run_rows.gives_way(conn, self.channel.id, side, now):
            return True
        return await action_rows.is_stopped(conn, self.channel.id, self.channel.revision, ids)

    async def _flush(self, portion: Portion) -> None:
        ended, portion.ended = portion.ended, []
        await self.end(ended, portion.observed_at)

    async def end(self, ended: Sequence[Ended], observed_at: datetime) -> None:
        """Store final results; what cannot be stored ends by itself."""

        async def apply(conn: AsyncConnection, part: Sequence[Ended]) -> None:
            await self.work.apply(conn, self.channel, part, observed_at)

        if ended:
            await poisoned.by_halves(self.fenced, ended, apply, self._end_unrecorded)

    async def _end_unrecorded(self, ended: Ended) -> None:
        """What it did cannot be written down: no further try before its input changes."""
        row, result = ended.row, ended.result
        message = f"It ended {result.outcome}, and that could not be recorded. {poisoned.MESSAGE}"
        async with self.fenced() as conn:
            failure = {"id": row["id"], "reason": poisoned.CODE, "message": message}
            await action_rows.remember_failures(conn, [failure])
            await action_rows.finish(conn, [row["id"]], "FAILED", poisoned.CODE, message)

    async def _unfinished(self, row: RowMapping, result: Result) -> None:
        if result.outcome is Outcome.UNKNOWN:
            await self._become_unknown([row], result.code, result.message)
        else:
            await self._retry([row], result.retry_after, result.code, result.message)

    async def _failed_request(
        self, error: AdapterError, sent: Sequence[RowMapping], left: Sequence[RowMapping]
    ) -> None:
        """An exception concerns what the last request carried; before any, all that is left."""
        if error.effect is Effect.POSSIBLE:
            await self._become_unknown(sent, error.code, error.message)
            return
        concerned = sent or left
        ids, now = [row["id"] for row in sent], self.deps.clock()
        match error:
            case UnauthorizedError():
                self.blocked_until = now
                async with self.fenced() as conn:
                    await pause_channel(conn, self.channel.id, error.code, error.message)
                    await action_rows.postpone(conn, ids, "DUE", now, error.code, error.message)
            case RateLimitedError():
                until = self.back_off(0, error.retry_after)
                self.blocked_until = until
                async with self.fenced() as conn:
                    await show_budget(conn, self.channel.id, until, error.message)
                    await action_rows.postpone(conn, ids, "DUE", until, error.code, error.message)
            case RejectedError() | GoneError() | UnsupportedError():
                await self._rejected(error, concerned)
            case _:
                await self._retry(concerned, error.retry_after, error.code, error.message)

    async def _go_on_later(self, begun: Sequence[RowMapping], code: str, message: str) -> None:
        """What an earlier request began goes on from its recorded steps; the error is not its."""
        if begun:
            async with self.fenced() as conn:
                ids = [row["id"] for row in begun]
                await action_rows.postpone(conn, ids, "DUE", self.deps.clock(), code, message)

    async def _rejected(self, error: AdapterError, rows: Sequence[RowMapping]) -> None:
        """The whole request was refused: halve it until the offender is alone."""
        if len(rows) > 1:
            message = f"The batch was refused ({error.message})"
            await self._in_smaller_parts(rows, error.code, message)
            return
        result = Result(rows[0]["key"], Outcome.FAILED, error.code, error.message)
        await self.end([Ended(rows[0], result)], self.deps.clock())

    async def _in_smaller_parts(self, rows: Sequence[RowMapping], code: str, message: str) -> None:
        ids, half = [row["id"] for row in rows], (len(rows) + 1) // 2
        message += "; it is sent in smaller parts"
        async with self.fenced() as conn:
            await action_rows.postpone(
                conn, ids, "DUE", self.deps.clock(), code, message, max_batch=half
            )

    async def _retry(
        self,
        rows: Sequence[RowMapping],
        after: timedelta | None,
        code: str,
        message: str,
    ) -> None:
        worn_out = [row for row in rows if row["tries"] + 1 >= MOST_TRIES]
        if worn_out:
            gave_up = f"Gave up after {MOST_TRIES} tries: {message}"
            await self.end(
                [
                    Ended(row, Result(row["key"], Outcome.FAILED, code, gave_up), is_given_up=True)
                    for row in worn_out
                ],
                self.deps.clock(),
            )
        lively = [row for row in rows if row["tries"] + 1 < MOST_TRIES]
        if not lively:
            return
        tries = max(row["tries"] for row in lively)
        async with self.fenced() as conn:
            await action_rows.postpone(
                conn,
                [row["id"] for row in lively],
                "RETRYING",
                self.back_off(tries, after),
                code,
                message,
            )

    async def _become_unknown(self, rows: Sequence[RowMapping], code: str, message: str) -> None:
        if not rows:
            return
        async with self.fenced() as conn:
            await action_rows.postpone(
                conn,
                [row["id"] for row in rows],
                "UNKNOWN",
                self.deps.clock() + min(LOOK_AFTER, self.settle_time),
                code,
                f"{message}. Whether it happened is unknown; the store is being asked",
                max_batch=max(1, len(rows) // 2),
            )

    async def _adopt(self, refs: Sequence[RemoteRef]) -> None:
        """Objects that turned out to hold our keys: look at them, so that they can be linked."""
        if not refs:
            return
        at = self.deps.clock()
        try:
            found = await self.adapter.read(refs)
        except AdapterError as error:
            log.info("existing objects not read", channel_id=self.channel.id, code=error.code)
            return
        rows = [value for value in found.values() if not hasattr(value, "reason")]
        async with self.fenced() as conn:
            await mirror.observe(
                conn,
                self.channel.id,
                self.channel.their_identifier,
                {row.id: row for row in rows}.values(),
                at,
            )

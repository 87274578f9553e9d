"""A run on its way, whatever it is about: steps, passing troubles, cancellation, sending, report.

The state of a run is rows: `phase` says which step is next and where in it. Each step commits what
it did together with the phase behind it, so any worker can go on after any end. What the steps are
is for `reconcile.runs` (listings) and `reconcile.orders.runs` to say.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import structlog
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile import fetch
from reconcile.contract import AdapterError, RateLimitedError, UnauthorizedError
from reconcile.core.states import RunResult, RunState
from reconcile.core.types import Operation
from reconcile.execute import Execution
from reconcile.fetch import Slice
from reconcile.identity import AccountChangedError
from reconcile.store import plans, run_rows
from reconcile.store.channel_state import clear, pause_channel, show_budget
from reconcile.store.channels import ChannelOperation
from reconcile.store.leases import LeaseLostError

log = structlog.get_logger()

MOST_TRIES = 8
"""Passing troubles in a row after which a run ends FAILED; the next one starts afresh."""
PAUSED_FOR = timedelta(minutes=1)
"""How often a canceled run asks whether its paused channel was resumed."""


class Advancing(ABC):
    """One slice of work on one run by the holder of the lease."""

    steps: ClassVar[Mapping[str, str]]
    """`phase["step"]` → the method that takes the step; each says whether there is more to do."""

    def __init__(
        self,
        part: Slice,
        row: RowMapping,
        operations: Mapping[Operation, ChannelOperation],
    ) -> None:
        self.part = part
        self.row = row
        self.execution: Execution = part.execution
        self.channel = part.execution.channel
        self.operations = operations
        self.operation = Operation(row["operation"])
        self.phase: dict[str, Any] = dict(row["phase"])

    @property
    def step(self) -> str:
        """What is to be done next."""
        return str(self.phase.get("step", "start"))

    @property
    def is_full(self) -> bool:
        """Whether this run looks at everything, asked for or because nothing was ever seen."""
        return bool(self.phase.get("full"))

    @abstractmethod
    async def counted(self, conn: AsyncConnection) -> tuple[dict[str, Any], int]:
        """What the report of the run says, and how many objects wait for a person."""

    async def decides_again(self, conn: AsyncConnection) -> bool:
        """Whether something follows from what was sent; the phase then says what is next."""
        del conn
        return False

    async def _go(self, step: str, state: RunState | None = None) -> bool:
        self.phase["step"] = step
        async with self.execution.fenced() as conn:
            await run_rows.save_phase(conn, self.row["id"], self.phase, state)
        return True

    async def advance(self) -> bool:
        """Work until the slice is over or the run waits; True when there is more to do now."""
        try:
            while not self.part.is_over:
                if await self._canceled():
                    return False
                if not await self._step():
                    return False
        except AccountChangedError as error:
            await self._fail(error.code, error.message)
            return False
        except UnauthorizedError as error:
            async with self.execution.fenced() as conn:
                await pause_channel(conn, self.channel.id, error.code, error.message)
            await self._fail(error.code, error.message)
            return False
        except AdapterError as error:
            await self._trouble(error)
            return False
        except LeaseLostError:
            raise
        except Exception:
            # A defect of ours, or of an answer that nobody foresaw. A run that only the log knows
            # of would hang for ever; where the database is away, saying so fails as well.
            log.exception("run failed", run_id=self.row["id"], channel_id=self.channel.id)
            message = "An internal error; the log holds the details"
            await self._trouble(AdapterError(message, code="InternalError"))
            return False
        return True

    async def _step(self) -> bool:
        take: Callable[[], Awaitable[bool]] = getattr(self, self.steps[self.step])
        return await take()

    async def _recheck(self) -> bool:
        """A plan is approved long after it was made; that it is still this account is not."""
        await fetch.check_account(self.part)
        return await self._go("local")

    async def _wait(self, until: str) -> bool:
        """The platform works on an answer; nothing more of this run before then."""
        async with self.execution.fenced() as conn:
            await run_rows.save_phase(conn, self.row["id"], self.phase)
            await run_rows.wait_until(conn, self.row["id"], datetime.fromisoformat(until))
        return False

    # --- executing ----------------------------------------------------------------------

    async def _execute(self) -> bool:
        while not self.part.is_over:
            if not await self.execution.advance():
                break
        if self.execution.is_stopped:
            if self.channel.is_paused:
                # Canceled on a paused channel, with something begun: that waits for the resume.
                async with self.execution.fenced() as conn:
                    at = self.execution.deps.clock() + PAUSED_FOR
                    await run_rows.wait_until(conn, self.row["id"], at)
            return False
        async with self.execution.fenced() as conn:
            if await run_rows.has_approved(conn, self.row["id"]):
                # Approved while the rest was sent: ours to apply, and only these.
                self.phase |= {"step": "local", "approved": True}
                await run_rows.save_phase(conn, self.row["id"], self.phase)
                return True
            left, due_at = await run_rows.open_actions(conn, self.row["id"])
            if left:
                now = self.execution.deps.clock()
                blocked = self.execution.blocked_until
                at = max(due_at or now, blocked or now)
                if at > now or blocked is not None:
                    at = max(at, now + timedelta(seconds=1))
                    await run_rows.wait_until(conn, self.row["id"], at)
                    return False
                return True
            if not self.row["cancel_requested"] and await self.decides_again(conn):
                return True
        canceled = self.row["cancel_requested"]
        await self._report(RunState.CANCELED if canceled else RunState.REPORTED)
        return False

    # --- ending -------------------------------------------------------------------------

    async def _canceled(self) -> bool:
        async with self.execution.fenced() as conn:
            result = await conn.execute(
                text("SELECT cancel_requested FROM runs WHERE id = :id"), {"id": self.row["id"]}
            )
            if not result.scalar_one():
                return False
            # What an earlier request has begun is finished: half a product is worse than one.
            unsent = await conn.execute(
                text("""
UPDATE actions SET state = 'CANCELED', finished_at = now(), outcome_code = 'Canceled',
    outcome_message = 'The run was canceled before this was sent'
WHERE run_id = :id AND state IN ('PLANNED', 'REFUSED', 'DUE', 'RETRYING') AND steps = '[]'
RETURNING listing_id, order_id
"""),
                {"id": self.row["id"]},
            )
            # The plan has taken the dirt along: what was not sent is to be found by the next run.
            if not self.row["plan_only"]:
                await self._look_again(conn, unsent.mappings().all(), "Canceled")
            left, _ = await run_rows.open_actions(conn, self.row["id"])
            if left:
                # What may be under way is still found out; only then has the run ended.
                self.phase["step"] = "execute"
                await run_rows.save_phase(conn, self.row["id"], self.phase, RunState.EXECUTING)
                return False
        await self._report(RunState.CANCELED)
        return True

    async def _look_again(
        self, conn: AsyncConnection, rows: Sequence[RowMapping], reason: str
    ) -> None:
        """What these action rows were about was not done: the next run decides it once more."""
        await self.execution.work.look_again(conn, self.channel, rows, reason)

    async def _report(self, state: RunState) -> None:
        run_id = self.row["id"]
        async with self.execution.fenced() as conn:
            if state is not RunState.PLANNED:
                await plans.clear_approvals(conn, run_id)
            summary = await run_rows.action_summary(conn, run_id)
            said, attention = await self.counted(conn)
            await run_rows.set_counts(
                conn, run_id, {"actions": summary, "attention": attention, **said}
            )
            result: RunResult | None = None
            if state is RunState.CANCELED:
                result = RunResult.CANCELED
            elif state is RunState.REPORTED:
                result = _result(summary, attention, is_complete=self.phase.get("complete", True))
                await clear(conn, self.channel.id, "Budget")
            await run_rows.finish_run(conn, run_id, state, result)
        log.info(
            "run finished",
            run_id=run_id,
            channel_id=self.channel.id,
            operation=self.operation.value,
            state=state.value,
            result=result,
        )

    async def _fail(self, code: str, message: str) -> None:
        async with self.execution.fenced() as conn:
            unsent = await conn.execute(
                text("""
UPDATE actions SET state = 'CANCELED', finished_at = now(), outcome_code = :code,
    outcome_message = :message
WHERE run_id = :id AND (state IN ('PLANNED', 'REFUSED')
                        OR state IN ('DUE', 'RETRYING') AND steps = '[]')
RETURNING listing_id, order_id
"""),
                {"id": self.row["id"], "code": code, "message": message},
            )
            await self._look_again(conn, unsent.mappings().all(), "RunFailed")
            await run_rows.finish_run(
                conn, self.row["id"], RunState.REPORTED, RunResult.FAILED, code, message
            )

    async def _trouble(self, error: AdapterError) -> None:
        """A passing trouble while reading: again later, and after many times not at all."""
        deps = self.execution.deps
        tries = int(self.row["tries"]) + 1
        if tries >= MOST_TRIES and not isinstance(error, RateLimitedError):
            await self._fail(error.code, f"Gave up after {tries} tries: {error.message}")
            return
        grown = min(deps.tuning.retry_base * (1 << min(tries, 20)), deps.tuning.retry_cap)
        at = deps.clock() + max(grown, error.retry_after or timedelta())
        async with self.execution.fenced() as conn:
            if isinstance(error, RateLimitedError):
                await show_budget(conn, self.channel.id, at, error.message)
            await run_rows.retry_later(conn, self.row["id"], at, error.code, error.message)


def _result(
    summary: Mapping[str, Mapping[str, int]], attention: int, *, is_complete: bool
) -> RunResult:
    totals: dict[str, int] = {}
    for states in summary.values():
        for state, number in states.items():
            totals[state] = totals.get(state, 0) + number
    done = totals.get("APPLIED", 0) + totals.get("NO_OP", 0)
    failed = totals.get("FAILED", 0)
    refused = totals.get("REFUSED", 0)
    missed = failed + refused + totals.get("STALE", 0) + totals.get("CANCELED", 0)
    if missed == 0 and attention == 0 and is_complete:
        return RunResult.SUCCEEDED
    if done == 0 and refused and not failed:
        return RunResult.REFUSED
    if done == 0 and failed and failed == missed:
        return RunResult.FAILED
    return RunResult.PARTIAL

"""A run, advanced in slices: fetch → pair → plan → guard → record → execute → report.

The state of a run is rows: `phase` says which step is next and where in it. Each step commits what
it did together with the phase behind it, so any worker can go on after any end.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile import fetch, guarding
from reconcile.contract import AdapterError, RateLimitedError, UnauthorizedError
from reconcile.core.states import RunResult, RunState
from reconcile.core.types import Operation
from reconcile.fetch import AccountChangedError
from reconcile.local import LOCAL_ORDER, apply_local, planned_rows
from reconcile.planning import IMPORT_CHUNK, Planning
from reconcile.store import dirt, marking, plans, run_rows
from reconcile.store.actions import mark_dirty
from reconcile.store.channel_state import clear, pause_channel, show_budget
from reconcile.store.leases import LeaseLostError

log = structlog.get_logger()

CONTENT_OPERATIONS = frozenset({Operation.PUBLISH_LISTINGS, Operation.IMPORT_LISTINGS})
"""Operations that compare content; the others read and pair what selling needs."""
MOST_TRIES = 8
"""Passing troubles in a row after which a run ends FAILED; the next one starts afresh."""
MOST_ROUNDS = 3
"""What a run links is decided again in the same run; planning settles well before this."""
PAUSED_FOR = timedelta(minutes=1)
"""How often a canceled run asks whether its paused channel was resumed."""


STEPS = {
    "start": "_start",
    "recheck": "_recheck",
    "check": "_check",
    "walk": "_walk",
    "verify": "_verify",
    "read": "_read",
    "wanted": "_wanted",
    "pair": "_pair",
    "plan": "_plan",
    "import": "_import",
    "guard": "_guard",
    "local": "_local",
    "execute": "_execute",
}
"""`phase["step"]` → the method that takes the step; each says whether there is more to do now."""


class Run(Planning):
    """One slice of work on one run by the holder of the lease."""

    @property
    def step(self) -> str:
        """What is to be done next."""
        return str(self.phase.get("step", "start"))

    @property
    def _is_approved(self) -> bool:
        """A person approved rows of a plan that had ended; nothing else of it is carried out."""
        return bool(self.phase.get("approved"))

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
        take: Callable[[], Awaitable[bool]] = getattr(self, STEPS[self.step])
        return await take()

    async def _check(self) -> bool:
        await fetch.check_account(self.part)
        return await self._go("walk" if self.is_full else "read")

    async def _recheck(self) -> bool:
        """A plan is approved long after it was made; that it is still this account is not."""
        await fetch.check_account(self.part)
        return await self._go("local")

    async def _verify(self) -> bool:
        if await fetch.verify_absent(self.part, self.phase):
            return await self._go("wanted")
        return True

    async def _read(self) -> bool:
        if await fetch.read_candidates(self.part, self.phase):
            return await self._go("wanted")
        return True

    # --- fetching -----------------------------------------------------------------------

    async def _start(self) -> bool:
        if self.operation is Operation.IMPORT_LISTINGS or self.channel.mirror_complete_at is None:
            self.phase["full"] = True
        else:
            self.phase["full"] = bool(self.row["is_full"]) and self.row["scope"] is None
        self.phase["round"] = 1
        async with self.execution.fenced() as conn:
            if self.row["scope"] is not None:
                await marking.mark_scope(conn, self.row["id"], self.channel.id, self.row["scope"])
            elif not self.is_full:
                await self._note_dirt(conn)
                found = await marking.mark_dirty_scope(
                    conn, self.row["id"], self.channel.id, self.operation
                )
                self.phase["empty"] = found == 0
        if self.phase.get("empty"):
            # Nothing has changed since last time: not a single request is needed to know it.
            return await self._go("wanted", RunState.FETCHING)
        return await self._go("check", RunState.FETCHING)

    async def _walk(self) -> bool:
        if await fetch.fetch_all(self.part, self.phase):
            await fetch.conclude_walk(self.part, self.phase)
            return await self._go("verify" if self.phase.get("complete") else "wanted")
        wait_until = self.phase.pop("wait_until", None)
        if wait_until is not None:
            async with self.execution.fenced() as conn:
                await run_rows.save_phase(conn, self.row["id"], self.phase)
                await run_rows.wait_until(conn, self.row["id"], wait_until)
            return False
        return True

    # --- guarding -----------------------------------------------------------------------

    async def _guard(self) -> bool:
        """Hold back what is over budget; the rest of the plan goes on."""
        run_id = self.row["id"]
        async with self.execution.fenced() as conn:
            now = self.execution.deps.clock()
            verdicts = await guarding.judge(conn, self.channel, run_id, now)
            if not self.row["plan_only"]:
                context = self._context()
                await guarding.hold_back(conn, self.channel, context, run_id, verdicts)
            await run_rows.planned(conn, run_id, self.phase["revision"], guarding.as_json(verdicts))
            await self._consume_dirt(conn)
            self.phase["step"] = "local"
            await run_rows.save_phase(conn, run_id, self.phase, RunState.PLANNED)
        if self.row["plan_only"]:
            await self._report(RunState.PLANNED)
            return False
        return await self._go("local", RunState.EXECUTING)

    async def _consume_dirt(self, conn: AsyncConnection) -> None:
        if self.row["plan_only"] or "dirty_up_to" not in self.phase:
            return
        # The first round of a run without a scope has decided all there was; any other only some.
        decided_all = self.row["scope"] is None and self.phase["round"] == 1
        await dirt.consume(
            conn,
            self.channel.id,
            self.operation,
            self.phase["dirty_up_to"],
            None if decided_all else self.row["id"],
        )

    # --- executing ----------------------------------------------------------------------

    async def _local(self) -> bool:
        """Apply what changes our own records; what was linked is decided once more."""
        run_id = self.row["id"]
        settings = self.operations[self.operation].settings
        for kind in LOCAL_ORDER:
            while True:
                async with self.execution.fenced() as conn:
                    rows = await planned_rows(
                        conn, run_id, kind, IMPORT_CHUNK, only_approved=self._is_approved
                    )
                    if rows:
                        await apply_local(
                            conn,
                            self.channel,
                            kind,
                            rows,
                            pause_new=bool(getattr(settings, "pause_new", False)),
                            now=self.execution.deps.clock(),
                        )
                if not rows:
                    break
                if self.part.is_over:
                    return True
        number = int(self.phase.get("round", 1))
        async with self.execution.fenced() as conn:
            await plans.make_due(
                conn,
                self.channel.id,
                run_id,
                self.execution.deps.clock(),
                only_approved=self._is_approved,
            )
            again = 0
            settles = not self._is_approved and self.operation is not Operation.LINK_LISTINGS
            if number < MOST_ROUNDS and settles:
                after = int(self.phase.get("linked_up_to", 0))
                again = await marking.mark_linked(conn, run_id, number + 1, after)
                self.phase["linked_up_to"] = await run_rows.last_action(conn, run_id)
            self.phase["round"] = number + 1 if again else number
            self.phase["step"] = "wanted" if again else "execute"
            await run_rows.save_phase(conn, run_id, self.phase)
        return True

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
RETURNING listing_id
"""),
                {"id": self.row["id"]},
            )
            # The plan has taken the dirt along: what was not sent is to be found by the next run.
            listing_ids = [row.listing_id for row in unsent if row.listing_id is not None]
            if not self.row["plan_only"]:
                await mark_dirty(conn, self.channel.id, listing_ids, "Canceled")
            left, _ = await run_rows.open_actions(conn, self.row["id"])
            if left:
                # What may be under way is still found out; only then has the run ended.
                self.phase["step"] = "execute"
                await run_rows.save_phase(conn, self.row["id"], self.phase, RunState.EXECUTING)
                return False
        await self._report(RunState.CANCELED)
        return True

    async def _report(self, state: RunState) -> None:
        run_id = self.row["id"]
        async with self.execution.fenced() as conn:
            if state is not RunState.PLANNED:
                await plans.clear_approvals(conn, run_id)
            summary = await run_rows.action_summary(conn, run_id)
            attention = await run_rows.attention_count(conn, run_id)
            said = dict(await run_rows.notification(conn, run_id))
            left: dict[str, int] = self.phase.get("left", {})
            if left:
                attention += sum(left.values())
                said["reasons"] = {**said["reasons"], **left}
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
RETURNING listing_id
"""),
                {"id": self.row["id"], "code": code, "message": message},
            )
            listing_ids = [row.listing_id for row in unsent if row.listing_id is not None]
            await mark_dirty(conn, self.channel.id, listing_ids, "RunFailed")
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

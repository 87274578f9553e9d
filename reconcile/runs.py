"""A run, advanced in slices: fetch → pair → plan → guard → record → execute → report.

The state of a run is rows: `phase` says which step is next and where in it. Each step commits what
it did together with the phase behind it, so any worker can go on after any end.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile import fetch, guarding
from reconcile.context import compared_fields, lane_of, plan_context
from reconcile.contract import AdapterError, RateLimitedError, UnauthorizedError
from reconcile.core.actions import Action, Plan, Standing
from reconcile.core.context import PlanContext
from reconcile.core.listings import plan_import, plan_listing
from reconcile.core.states import UNLINKED_CODES, RunResult, RunState
from reconcile.core.types import LinkState, Listing, Operation, Value
from reconcile.execute import Execution
from reconcile.fetch import AccountChangedError, Slice
from reconcile.local import LOCAL_ORDER, apply_local, planned_rows
from reconcile.store import dirt, marking, pairs, plans, run_rows
from reconcile.store.actions import mark_dirty
from reconcile.store.channel_state import clear, is_current, pause_channel, show_budget
from reconcile.store.channels import ChannelOperation
from reconcile.wanted import refresh_wanted

log = structlog.get_logger()

CONTENT_OPERATIONS = frozenset({Operation.PUBLISH_LISTINGS, Operation.IMPORT_LISTINGS})
"""Operations that compare content; the others read and pair what selling needs."""
MOST_TRIES = 8
"""Passing troubles in a row after which a run ends FAILED; the next one starts afresh."""
MOST_ROUNDS = 3
"""What a run links is decided again in the same run; planning settles well before this."""
IMPORT_CHUNK = 200
"""Products decided at once by an import."""


STEPS = {
    "start": "_start",
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


class Run:
    """One slice of work on one run by the holder of the lease."""

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
        """Whether this run lists everything, asked for or because nothing was ever listed."""
        return bool(self.phase.get("full"))

    @property
    def _is_approved(self) -> bool:
        """A person approved rows of the recorded plan; nothing else of it is carried out."""
        return self.row["approved_by"] is not None

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
        return True

    async def _step(self) -> bool:
        take: Callable[[], Awaitable[bool]] = getattr(self, STEPS[self.step])
        return await take()

    async def _check(self) -> bool:
        await fetch.check_account(self.part)
        return await self._go("walk" if self.is_full else "read")

    async def _verify(self) -> bool:
        if await fetch.verify_absent(self.part, self.phase):
            return await self._go("wanted")
        return True

    async def _read(self) -> bool:
        if await fetch.read_candidates(self.part, self.phase):
            return await self._go("wanted")
        return True

    async def _wanted(self) -> bool:
        if self.phase.get("noted") != self.phase["round"]:
            async with self.execution.fenced() as conn:
                await self._note_dirt(conn)
                await run_rows.save_phase(conn, self.row["id"], self.phase)
        async with self.execution.fenced() as conn:
            if not await is_current(conn, self.channel.id, self.channel.revision):
                # Worked out from settings that no longer hold; the next slice knows the new ones.
                return False
            chunk = self.execution.deps.tuning.chunk
            done = await refresh_wanted(conn, self.channel, self.operations, chunk)
        return True if done else await self._go("pair")

    async def _note_dirt(self, conn: AsyncConnection) -> None:
        """What is edited from here on is left to the next run, whether this one sees it or not."""
        self.phase["dirty_up_to"] = await dirt.end(conn, self.channel.id, self.operation)
        self.phase["noted"] = self.phase["round"]

    async def _go(self, step: str, state: RunState | None = None) -> bool:
        self.phase["step"] = step
        async with self.execution.fenced() as conn:
            await run_rows.save_phase(conn, self.row["id"], self.phase, state)
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

    # --- planning -----------------------------------------------------------------------

    def _context(self) -> PlanContext:
        context = plan_context(
            self.channel,
            self.operations[self.operation],
            is_full=self.is_full,
            scheduled=self.row["trigger"] == "SCHEDULE",
        )
        # The channel was loaded before this run's own walk ended.
        complete = context.mirror_complete or bool(self.phase.get("complete"))
        return replace(context, mirror_complete=complete)

    async def _pair(self) -> bool:
        async with self.execution.fenced() as conn:
            if self.is_full and self.row["scope"] is None and self.phase["round"] == 1:
                found = await marking.mark_candidates(
                    conn, self.row["id"], self.channel.id, self.operation
                )
                await run_rows.set_counts(conn, self.row["id"], {"listings_candidates": found})
            self.phase["plan_after"] = 0
            self.phase["step"] = "plan"
            await run_rows.save_phase(conn, self.row["id"], self.phase)
        return True

    async def _plan(self) -> bool:
        context = self._context()
        async with self.execution.fenced() as conn:
            ids = await marking.next_candidates(
                conn,
                self.row["id"],
                self.phase["round"],
                self.phase["plan_after"],
                self.execution.deps.tuning.chunk,
            )
            if ids:
                fields = compared_fields(self.channel, self.operation)
                listings = await pairs.load_listings(conn, self.channel.id, ids, fields)
                await self._record(
                    conn, listings, [plan_listing(listing, context) for listing in listings]
                )
                self.phase["plan_after"] = ids[-1]
                await run_rows.save_phase(conn, self.row["id"], self.phase)
        if ids:
            return True
        if self.operation is Operation.IMPORT_LISTINGS and self.phase["round"] == 1:
            return await self._go("import")
        return await self._go("guard")

    async def _import(self) -> bool:
        context = self._context()
        async with self.execution.fenced() as conn:
            ids = await pairs.unclaimed_products(
                conn, self.channel.id, self.phase.get("import_after", 0), IMPORT_CHUNK
            )
            if ids:
                products = await pairs.load_remote_listings(conn, ids)
                matches, duplicates = await pairs.matches_of(conn, self.channel.id, ids)
                made = [
                    plan_import(products[i], matches.get(products[i].id, ()), context, duplicates)
                    for i in ids
                ]
                await self._record(conn, [], made)
                self.phase["import_after"] = ids[-1]
                await run_rows.save_phase(conn, self.row["id"], self.phase)
        return True if ids else await self._go("guard")

    async def _record(
        self, conn: AsyncConnection, listings: Sequence[Listing], made: Sequence[Plan]
    ) -> None:
        revisions = {v.id: v.revision for listing in listings for v in listing.variants}
        known = await _known_keys(conn, self.row["id"], made) if not listings else set()
        rows = []
        for plan in made:
            for action in plan.actions:
                if action.key not in known:
                    known.add(action.key)
                    rows.append(self._row(action, "PLANNED", revisions))
            for action, decision in plan.skipped:
                row = self._row(action, "SKIPPED", revisions)
                rows.append(
                    {**row, "outcome_code": decision.code, "outcome_message": decision.message}
                )
        await plans.record_actions(conn, self.channel.id, self.row["id"], rows)
        decisions = [decision for plan in made for decision in plan.decisions]
        if not listings:
            # Products of the store that no listing of ours stands for: counted, with the reason.
            left: dict[str, int] = self.phase.setdefault("left", {})
            for decision in decisions:
                if decision.standing is Standing.ATTENTION:
                    left[decision.code] = left.get(decision.code, 0) + 1
        if listings:
            await plans.record_decisions(conn, self.channel.id, self.operation, listings, decisions)
            states = {
                int(decision.variant_id): UNLINKED_CODES[decision.code]
                for decision in decisions
                if decision.variant_id and decision.code in UNLINKED_CODES
            }
            await plans.set_ambiguous(
                conn,
                [key for key, state in states.items() if state is LinkState.AMBIGUOUS],
                list(states),
            )
        counts: dict[str, int] = {"listings_decided": len(listings)}
        for decision in decisions:
            name = f"decisions_{decision.standing.lower()}"
            counts[name] = counts.get(name, 0) + 1
        await run_rows.add_counts(conn, self.row["id"], counts)

    def _row(self, action: Action, state: str, revisions: Mapping[str, int]) -> dict[str, Any]:
        named = [action.variant_id] if action.variant_id else list(action.variant_ids)
        planned_from: dict[str, Value] = {
            variant_id: revisions[variant_id] for variant_id in named if variant_id in revisions
        }
        return plans.action_json(action, state, lane_of(self.channel, action), planned_from)

    async def _guard(self) -> bool:
        """Hold back what is over budget; the rest of the plan goes on."""
        run_id = self.row["id"]
        async with self.execution.fenced() as conn:
            now = self.execution.deps.clock()
            verdicts = await guarding.judge(conn, self.channel, run_id, now)
            if not self.row["plan_only"]:
                context = self._context()
                await guarding.hold_back(conn, self.channel, context, run_id, verdicts)
            await run_rows.planned(conn, run_id, self.channel.revision, guarding.as_json(verdicts))
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
            return False
        async with self.execution.fenced() as conn:
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
            await conn.execute(
                text("""
UPDATE actions SET state = 'CANCELED', finished_at = now(), outcome_code = 'Canceled',
    outcome_message = 'The run was canceled before this was sent'
WHERE run_id = :id AND state IN ('PLANNED', 'REFUSED', 'DUE', 'RETRYING')
"""),
                {"id": self.row["id"]},
            )
            # The plan has taken the dirt along: what was not sent is to be found by the next run.
            unsent = await conn.execute(
                text("SELECT listing_id FROM actions WHERE run_id = :id AND state = 'CANCELED'"),
                {"id": self.row["id"]},
            )
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
            await conn.execute(
                text("""
UPDATE actions SET state = 'CANCELED', finished_at = now(), outcome_code = :code,
    outcome_message = :message
WHERE run_id = :id AND state IN ('PLANNED', 'REFUSED')
"""),
                {"id": self.row["id"], "code": code, "message": message},
            )
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


async def _known_keys(conn: AsyncConnection, run_id: int, made: Sequence[Plan]) -> set[str]:
    keys = [action.key for plan in made for action in plan.actions]
    result = await conn.execute(
        text("SELECT key FROM actions WHERE run_id = :run_id AND key = ANY(:keys)"),
        {"run_id": run_id, "keys": keys},
    )
    return {row.key for row in result}

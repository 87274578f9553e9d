"""A run over orders, advanced in slices.

GET_ORDERS: poll → read again what no poll showed → decide → import → acknowledge. SYNC_ORDERS: look
at the orders something is to be sent to → decide → send → close. Decisions are made from the
mirror: what is flagged there is decided, and the flag goes in the transaction that decided.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile import fetch
from reconcile.advancing import Advancing
from reconcile.context import LANE_FULFILLMENT
from reconcile.contract import OrderWindow
from reconcile.core.actions import Action, ActionKind, Decision, Plan, Standing
from reconcile.core.fulfilling import plan_fulfillment
from reconcile.core.order_types import OrderContext, OrderDecision, SeenOrder
from reconcile.core.orders import plan_order
from reconcile.core.remote_order_types import OrderVerdict
from reconcile.core.states import RunState
from reconcile.core.types import Operation
from reconcile.local import planned_rows
from reconcile.orders import fetch as order_fetch
from reconcile.orders.context import order_context
from reconcile.orders.importing import apply_imports, follow, settle_statuses
from reconcile.store import deductions, order_marks, order_mirror, order_reports, plans, run_rows
from reconcile.store.channel_state import is_current
from reconcile.store.seen_orders import load_seen

CHUNK = 500
"""Orders decided or imported at once; bounds memory."""
MOST_ROUNDS = 3
"""What a run imports or sends is decided again in the same run (acknowledge, close)."""

ATTENTION = frozenset({OrderVerdict.HELD, OrderVerdict.UNSAVABLE})
"""Verdicts somebody has to do something about."""


class OrderRun(Advancing):
    """One slice of work on one run over orders by the holder of the lease."""

    steps: ClassVar[Mapping[str, str]] = {
        "start": "_start",
        "recheck": "_recheck",
        "check": "_check",
        "poll": "_poll",
        "lookup": "_lookup",
        "reread": "_reread",
        "refresh": "_refresh",
        "decide": "_decide",
        "local": "_local",
        "execute": "_execute",
    }

    @property
    def _scope(self) -> Sequence[int] | None:
        """The orders this run is about; None: all that are flagged."""
        named: list[int] | None = self.phase.get("found", self.row["order_ids"])
        return named or None

    # --- fetching -----------------------------------------------------------------------

    async def _start(self) -> bool:
        if not await self._resolve():
            return True
        now = self.execution.deps.clock()
        self.phase |= {"full": bool(self.row["is_full"]), "round": 1, "started_at": now.isoformat()}
        async with self.execution.fenced() as conn:
            await order_marks.flag(conn, self.channel.id, self._scope or ())
        if self.is_full:
            async with self.execution.fenced() as conn:
                await order_marks.flag_unfinished(conn, self.channel.id, self.operation)
        if self.operation is Operation.GET_ORDERS and self.row["order_ids"] == []:
            # A mapping or a setting changed: what was seen already is decided, nothing is asked.
            return await self._go("decide", RunState.FETCHING)
        return await self._go("check", RunState.FETCHING)

    async def _resolve(self) -> bool:
        """Links that came or went change which SKU a line stands for; True when all is as it is.

        A portion at a time: linking a catalog may concern every open order there is.
        """
        while not self.part.is_over:
            after = int(self.phase.get("resolved_up_to", 0))
            async with self.execution.fenced() as conn:
                moved = await deductions.resolve_again(conn, self.channel.id, after, CHUNK)
                if not moved:
                    return True
                await order_marks.flag(conn, self.channel.id, moved)
                self.phase["resolved_up_to"] = moved[-1]
                await run_rows.save_phase(conn, self.row["id"], self.phase)
                rewritten = await deductions.rewrite(conn, self.channel.id, moved)
            await order_fetch.ring(self.part, rewritten.channel_ids)
        return False

    async def _check(self) -> bool:
        await fetch.check_account(self.part)
        if self.row["lookup"] is not None:
            return await self._go("lookup")
        if self.operation is Operation.SYNC_ORDERS or self.row["order_ids"] is not None:
            return await self._go("refresh")
        return await self._go("poll")

    async def _lookup(self) -> bool:
        number = str(self.row["lookup"])
        found = await order_fetch.look_up(self.part, number)
        async with self.execution.fenced() as conn:
            self.phase["found"] = await order_reports.ids_of_number(conn, self.channel.id, number)
            await run_rows.set_counts(conn, self.row["id"], {"orders_found": found})
            await run_rows.save_phase(conn, self.row["id"], self.phase)
        if not self.phase["found"]:
            return await self._go("execute", RunState.EXECUTING)
        return await self._go("decide")

    async def _poll(self) -> bool:
        operation = self.operations[Operation.GET_ORDERS]
        if "since" not in self.phase:
            window = order_fetch.window_of(
                self.channel,
                operation,
                operation.cursor,
                self.execution.deps.clock(),
                full=self.is_full,
            )
            self.phase["since"] = window.modified_since.isoformat()
        since = datetime.fromisoformat(self.phase["since"])
        if await order_fetch.poll(self.part, self.phase, OrderWindow(since), place=self.phase):
            async with self.execution.fenced() as conn:
                if not await is_current(conn, self.channel.id, self.channel.revision):
                    # The reach may have grown meanwhile; the next run begins with what holds then.
                    self.phase.pop("polled_at", None)
                if "polled_at" in self.phase:
                    await order_reports.save_cursor(
                        conn, self.channel.id, self.phase["polled_at"], since
                    )
            return await self._go("reread")
        wait_until = self.phase.pop("wait_until", None)
        if wait_until is not None:
            return await self._wait(str(wait_until))
        return True

    async def _reread(self) -> bool:
        if await order_fetch.reread(self.part, self.phase, full=self.is_full):
            return await self._go("decide")
        return True

    async def _refresh(self) -> bool:
        """Nothing is sent to an order before it was looked at: it may be canceled by now."""
        while not self.part.is_over:
            after = int(self.phase.get("refresh_after", 0))
            async with self.execution.fenced() as conn:
                ids = await order_reports.to_refresh(
                    conn,
                    self.channel.id,
                    after,
                    order_fetch.READ_AT_ONCE,
                    self._scope,
                    full=self.is_full,
                    sending=self.operation is Operation.SYNC_ORDERS,
                )
                names = await order_mirror.remote_ids(conn, ids)
            if not ids:
                return await self._go("decide")
            await order_fetch.read_by_id(self.part, names)
            self.phase["refresh_after"] = ids[-1]
            async with self.execution.fenced() as conn:
                await run_rows.save_phase(conn, self.row["id"], self.phase)
        return True

    # --- deciding -----------------------------------------------------------------------

    async def _decide(self) -> bool:
        context = order_context(self.channel, self.operations)
        after = int(self.phase.get("decide_after", 0))
        async with self.execution.fenced() as conn:
            if not await is_current(conn, self.channel.id, self.channel.revision):
                # Decided from settings that no longer hold; the next slice knows the new ones.
                return False
            ids = await order_marks.flagged(
                conn, self.channel.id, self.operation, after, CHUNK, self._scope
            )
            if ids:
                seen = await load_seen(conn, self.channel.id, ids, lock=True)
                await self._record(conn, seen, context)
                if not self.row["plan_only"]:
                    await order_marks.unflag(conn, ids, self.operation)
                    if self.operation is Operation.GET_ORDERS:
                        await follow(conn, self.channel, context, seen)
                        now = self.execution.deps.clock()
                        await settle_statuses(conn, self.channel.id, ids, now)
                self.phase["decide_after"] = ids[-1]
                await run_rows.save_phase(conn, self.row["id"], self.phase)
        if ids:
            return True
        async with self.execution.fenced() as conn:
            self.phase.setdefault("revision", self.channel.revision)
            await run_rows.planned(conn, self.row["id"], self.phase["revision"], {})
            await run_rows.save_phase(conn, self.row["id"], self.phase, RunState.PLANNED)
        if self.row["plan_only"]:
            self.phase["step"] = "local"
            await self._report(RunState.PLANNED)
            return False
        return await self._go("local", RunState.EXECUTING)

    async def _record(
        self, conn: AsyncConnection, seen: Sequence[SeenOrder], context: OrderContext
    ) -> None:
        decided: dict[int, OrderDecision] = {}
        made: list[tuple[SeenOrder, Plan]] = []
        for order in seen:
            if self.operation is Operation.GET_ORDERS:
                planned = plan_order(order, context)
                made.append((order, planned.plan))
                self._count(planned.decision)
                decided[int(order.id)] = planned.decision
            else:
                made.append((order, plan_fulfillment(order, context)))
        # An order is IMPORTED once it stands in our records; until then it is still pending.
        waiting = {
            int(action.order_id)
            for order, plan in made
            for action in plan.actions
            if action.kind is ActionKind.IMPORT_ORDER and order.imported is None
        }
        await order_mirror.record_verdicts(
            conn,
            {number: decision for number, decision in decided.items() if number not in waiting},
        )
        rows = []
        for _, plan in made:
            for action in plan.actions:
                self._note_hold(action)
            rows += [
                plans.action_json(action, "PLANNED", LANE_FULFILLMENT, {})
                for action in plan.actions
            ]
            rows += [
                {
                    **plans.action_json(action, "SKIPPED", LANE_FULFILLMENT, {}),
                    "outcome_code": decision.code,
                    "outcome_message": decision.message,
                }
                for action, decision in plan.skipped
            ]
        await plans.record_actions(conn, self.channel.id, self.row["id"], rows)
        await self._say(conn, made, decided)

    async def _say(
        self,
        conn: AsyncConnection,
        made: Sequence[tuple[SeenOrder, Plan]],
        decided: Mapping[int, OrderDecision],
    ) -> None:
        """What somebody has to do, or what waits, becomes a condition of the order."""
        said: list[order_mirror.OrderCondition] = []
        for order, plan in made:
            number = int(order.id)
            found: OrderDecision | Decision | None = decided.get(number)
            standing = Standing.ATTENTION
            if not isinstance(found, OrderDecision) or found.verdict not in ATTENTION:
                found = _worst(plan.decisions)
                if found is None:
                    continue
                standing = found.standing
                if standing is Standing.ATTENTION:
                    self._note(found.code, waits=True)
            said.append(
                order_mirror.OrderCondition(
                    number,
                    standing,
                    found.code,
                    found.message,
                    dict(found.inputs),
                    order.revision,
                )
            )
        await order_mirror.record_conditions(
            conn, self.channel.id, self.operation, [int(order.id) for order, _ in made], said
        )

    def _count(self, decision: OrderDecision) -> None:
        """Verdicts by number for the report; what is already ours is not news."""
        if self.phase["round"] == 1:
            name = decision.verdict.lower()
            fates = self.phase.setdefault("verdicts", {})
            fates[name] = fates.get(name, 0) + 1
        if decision.verdict is not OrderVerdict.IMPORTED:
            self._note(decision.code, waits=decision.verdict in ATTENTION)

    def _note(self, code: str, *, waits: bool) -> None:
        """Count a reason, once per order: later rounds of the run say the same again."""
        if self.phase["round"] > 1:
            return
        reasons = self.phase.setdefault("reasons", {})
        reasons[code] = reasons.get(code, 0) + 1
        if waits:
            self.phase["attention"] = self.phase.get("attention", 0) + 1

    def _note_hold(self, action: Action) -> None:
        """An order that the rules put on hold waits for a person from now on."""
        for change in action.changes:
            if change.field == "hold" and isinstance(change.after, dict):
                self._note(str(change.after["code"]), waits=True)

    # --- applying -----------------------------------------------------------------------

    async def _local(self) -> bool:
        """Import what was decided; what follows (acknowledging, a hold) is decided once more."""
        run_id = self.row["id"]
        context = order_context(self.channel, self.operations)
        approved = bool(self.phase.get("approved"))
        while True:
            rung: Sequence[int] = ()
            async with self.execution.fenced() as conn:
                rows = await planned_rows(
                    conn, run_id, ActionKind.IMPORT_ORDER, CHUNK, only_approved=approved
                )
                if rows:
                    rung = await apply_imports(
                        conn, self.channel, context, rows, self.execution.deps.clock()
                    )
            await order_fetch.ring(self.part, rung)
            if not rows:
                break
            if self.part.is_over:
                return True
        number = int(self.phase.get("round", 1))
        async with self.execution.fenced() as conn:
            now = self.execution.deps.clock()
            await plans.make_due(conn, self.channel.id, run_id, now, only_approved=approved)
            again = False
            if self.operation is Operation.GET_ORDERS and not approved and number < MOST_ROUNDS:
                again = bool(
                    await order_marks.flagged(
                        conn, self.channel.id, self.operation, 0, 1, self._scope
                    )
                )
            self.phase["round"] = number + 1 if again else number
            self.phase["decide_after"] = 0
            self.phase["step"] = "decide" if again else "execute"
            await run_rows.save_phase(conn, run_id, self.phase)
        return True

    async def decides_again(self, conn: AsyncConnection) -> bool:
        """When all is sent, what follows from it (closing) is decided once more."""
        number = int(self.phase.get("round", 1))
        if self.operation is not Operation.SYNC_ORDERS or number >= MOST_ROUNDS:
            return False
        sent = await run_rows.last_action(conn, self.row["id"])
        if self.phase.get("approved") or sent <= int(self.phase.get("sent_up_to", 0)):
            return False
        self.phase |= {"round": number + 1, "sent_up_to": sent, "decide_after": 0, "step": "decide"}
        await run_rows.save_phase(conn, self.row["id"], self.phase)
        return True

    # --- ending -------------------------------------------------------------------------

    async def counted(self, conn: AsyncConnection) -> tuple[dict[str, Any], int]:
        """Orders by what became of them, with the reasons of those that were not imported."""
        said = await order_reports.fates(conn, self.row["id"])
        verdicts = self.phase.get("verdicts", {})
        reasons = {**self.phase.get("reasons", {})}
        for reason, number in said["reasons"].items():
            reasons[reason] = reasons.get(reason, 0) + number
        named = {
            f"orders_{name}": number for name, number in verdicts.items() if name != "imported"
        }
        return {**named, **said["counts"], "reasons": reasons}, int(self.phase.get("attention", 0))


def _worst(decisions: Sequence[Decision]) -> Decision | None:
    """The decision of an order that matters most to a person; None where all is in order."""
    for standing in (Standing.ATTENTION, Standing.WAITING):
        for decision in decisions:
            if decision.standing is standing:
                return decision
    return None

"""A run over orders, advanced in slices.

GET_ORDERS: poll → read again what no poll showed → decide → import → acknowledge. SYNC_ORDERS: look
at the orders something is to be sent to → decide → send → close. Decisions are made from the
mirror: what is flagged there is decided, and the flag goes in the transaction that decided.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile import fetch
from reconcile.advancing import Advancing
from reconcile.context import LANE_FULFILLMENT
from reconcile.contract import OrderWindow
from reconcile.core.actions import Action, ActionKind, Decision, Plan, Standing
from reconcile.core.fulfilling import plan_fulfillment
from reconcile.core.order_types import OrderContext, OrderDecision, OrderVerdict, SeenOrder
from reconcile.core.orders import plan_order
from reconcile.core.states import RunState
from reconcile.core.types import Operation
from reconcile.local import planned_rows
from reconcile.orders import fetch as order_fetch
from reconcile.orders.context import order_context
from reconcile.orders.importing import apply_imports, follow, settle_statuses
from reconcile.store import deductions, order_mirror, order_reports, plans, run_rows
from reconcile.store.channel_state import is_current
from reconcile.store.seen_orders import load_seen

CHUNK = 500
"""Orders decided or imported at once; bounds memory."""
MOST_ROUNDS = 3
"""What a run imports or sends is decided again in the same run (acknowledge, close)."""

FLAGS: Mapping[Operation, str] = {Operation.GET_ORDERS: "decide", Operation.SYNC_ORDERS: "fulfill"}
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

    @property
    def _flag(self) -> str:
        return FLAGS[self.operation]

    # --- fetching -----------------------------------------------------------------------

    async def _start(self) -> bool:
        now = self.execution.deps.clock()
        self.phase |= {"full": bool(self.row["is_full"]), "round": 1, "started_at": now.isoformat()}
        async with self.execution.fenced() as conn:
            # Links that came or went since change which SKU a line stands for.
            moved = await deductions.resolve_again(conn, self.channel.id)
            await order_mirror.flag(conn, self.channel.id, moved)
            if self._scope is not None:
                await order_mirror.flag(conn, self.channel.id, self._scope)
            if self.is_full:
                await order_mirror.flag_unfinished(conn, self.channel.id, self._flag)
            rewritten = await deductions.rewrite(conn, self.channel.id, moved)
        await order_fetch.ring(self.part, rewritten.channel_ids)
        if self.operation is Operation.GET_ORDERS and self.row["order_ids"] == []:
            # A mapping or a setting changed: what was seen already is decided, nothing is asked.
            return await self._go("decide", RunState.FETCHING)
        return await self._go("check", RunState.FETCHING)

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
            ids = await order_mirror.flagged(
                conn, self.channel.id, self._flag, after, CHUNK, self._scope
            )
            if ids:
                seen = await load_seen(conn, self.channel.id, ids, lock=True)
                await self._record(conn, seen, context)
                if not self.row["plan_only"]:
                    await order_mirror.unflag(conn, ids, self._flag)
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
        verdicts: list[dict[str, Any]] = []
        made: list[tuple[SeenOrder, Plan]] = []
        for order in seen:
            if self.operation is Operation.GET_ORDERS:
                planned = plan_order(order, context)
                made.append((order, planned.plan))
                self._count(planned.decision)
                verdicts.append(_verdict(order, planned.decision))
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
            conn, [row for row in verdicts if row["id"] not in waiting]
        )
        rows = []
        for order, plan in made:
            rows += [_row(action, "PLANNED", order.revision) for action in plan.actions]
            rows += [
                {
                    **_row(action, "SKIPPED", order.revision),
                    "outcome_code": decision.code,
                    "outcome_message": decision.message,
                }
                for action, decision in plan.skipped
            ]
        await plans.record_actions(conn, self.channel.id, self.row["id"], rows)
        await self._say(conn, seen, made, verdicts)

    async def _say(
        self,
        conn: AsyncConnection,
        seen: Sequence[SeenOrder],
        made: Sequence[tuple[SeenOrder, Plan]],
        verdicts: Sequence[Mapping[str, Any]],
    ) -> None:
        """What somebody has to do, or what waits, becomes a condition of the order."""
        said: dict[int, dict[str, Any]] = {}
        for row in verdicts:
            if OrderVerdict(row["verdict"]) in ATTENTION:
                said[row["id"]] = {
                    "object_id": row["id"],
                    "status": Standing.ATTENTION,
                    "reason": row["reason"],
                    "message": row["message"],
                    "inputs": row["inputs"],
                    "observed_revision": row["revision"],
                }
        for order, plan in made:
            chosen = _worst(plan.decisions)
            if chosen is None:
                continue
            if int(order.id) not in said:
                said[int(order.id)] = {
                    "object_id": int(order.id),
                    "status": chosen.standing,
                    "reason": chosen.code,
                    "message": chosen.message,
                    "inputs": dict(chosen.inputs),
                    "observed_revision": order.revision,
                }
                if chosen.standing is Standing.ATTENTION:
                    self._note(chosen.code, waits=True)
        await order_mirror.record_conditions(
            conn,
            self.channel.id,
            self.operation,
            [int(order.id) for order in seen],
            [*said.values()],
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

    # --- applying -----------------------------------------------------------------------

    async def _local(self) -> bool:
        """Import what was decided; what follows from that (acknowledging) is decided once more."""
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
            marks = context.acknowledges and self.operation is Operation.GET_ORDERS
            again = marks and not approved and number < MOST_ROUNDS
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

    async def look_again(self, conn: AsyncConnection, rows: Sequence[Any], reason: str) -> None:
        """The orders are decided again by the next run."""
        del reason
        ids = [row["order_id"] for row in rows if row["order_id"] is not None]
        await order_mirror.flag(conn, self.channel.id, ids)

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


def _verdict(order: SeenOrder, decision: OrderDecision) -> dict[str, Any]:
    return {
        "id": int(order.id),
        "verdict": decision.verdict,
        "reason": decision.code,
        "message": decision.message,
        "inputs": dict(decision.inputs),
        "revision": order.revision,
    }


def _row(action: Action, state: str, revision: int) -> dict[str, Any]:
    del revision
    return plans.action_json(action, state, LANE_FULFILLMENT, {})


def rows_of(rows: Sequence[RowMapping]) -> list[int]:
    """The orders that action rows are about."""
    return [row["order_id"] for row in rows]

"""A run, advanced in slices: fetch → pair → plan → guard → record → execute → report.

The state of a run is rows: `phase` says which step is next and where in it. Each step commits what
it did together with the phase behind it, so any worker can go on after any end.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile import fetch, guarding
from reconcile.contract import OrderWindow
from reconcile.core.states import RunState
from reconcile.core.types import Operation
from reconcile.local import LOCAL_ORDER, apply_local, planned_rows
from reconcile.orders import fetch as order_fetch
from reconcile.planning import IMPORT_CHUNK, Planning
from reconcile.store import dirt, marking, plans, run_rows

CONTENT_OPERATIONS = frozenset({Operation.PUBLISH_LISTINGS, Operation.IMPORT_LISTINGS})
"""Operations that compare content; the others read and pair what selling needs."""
MOST_ROUNDS = 3
"""What a run links is decided again in the same run; planning settles well before this."""


class Run(Planning):
    """One slice of work on one run by the holder of the lease."""

    steps: ClassVar[Mapping[str, str]] = {
        "start": "_start",
        "recheck": "_recheck",
        "check": "_check",
        "walk": "_walk",
        "verify": "_verify",
        "read": "_read",
        "orders": "_orders",
        "wanted": "_wanted",
        "pair": "_pair",
        "plan": "_plan",
        "import": "_import",
        "guard": "_guard",
        "local": "_local",
        "execute": "_execute",
    }

    @property
    def _is_approved(self) -> bool:
        """A person approved rows of a plan that had ended; nothing else of it is carried out."""
        return bool(self.phase.get("approved"))

    async def _check(self) -> bool:
        await fetch.check_account(self.part)
        return await self._go("walk" if self.is_full else "read")

    async def _verify(self) -> bool:
        if await fetch.verify_absent(self.part, self.phase):
            return await self._go(self._after_reading)
        return True

    async def _read(self) -> bool:
        if await fetch.read_candidates(self.part, self.phase):
            return await self._go(self._after_reading)
        return True

    @property
    def _after_reading(self) -> str:
        """A sale made before the store was read must be known before a quantity is worked out."""
        is_sync = self.operation is Operation.SYNC_LISTINGS
        return "orders" if is_sync and order_fetch.is_polled(self.operations) else "wanted"

    async def _orders(self) -> bool:
        """Look for orders newer than the last poll, or a sync would write back what was bought.

        The place where GET_ORDERS goes on stays where it is: deciding these orders is its business.
        """
        polling: dict[str, Any] = self.phase.setdefault("orders", {})
        if "since" not in polling:
            operation = self.operations[Operation.GET_ORDERS]
            now = self.execution.deps.clock()
            window = order_fetch.window_of(
                self.channel, operation, operation.cursor, now, full=False
            )
            polling["since"] = window.modified_since.isoformat()
        window = OrderWindow(datetime.fromisoformat(polling["since"]))
        if await order_fetch.poll(self.part, self.phase, window, place=polling):
            return await self._go("wanted")
        wait_until = polling.pop("wait_until", None)
        if wait_until is not None:
            return await self._wait(str(wait_until))
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
            complete = self.phase.get("complete")
            return await self._go("verify" if complete else self._after_reading)
        wait_until = self.phase.pop("wait_until", None)
        if wait_until is not None:
            return await self._wait(str(wait_until))
        return True

    # --- guarding -----------------------------------------------------------------------

    async def _guard(self) -> bool:
        """Hold back what is over budget; the rest of the plan goes on."""
        run_id = self.row["id"]
        async with self.execution.fenced() as conn:
            context = self._context()
            verdicts = await guarding.judge(conn, self.channel, context, run_id)
            if not self.row["plan_only"]:
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

    # --- ending -------------------------------------------------------------------------

    async def counted(self, conn: AsyncConnection) -> tuple[dict[str, Any], int]:
        """Listings and variants by what became of them; products left out by an import count."""
        attention = await run_rows.attention_count(conn, self.row["id"])
        said = dict(await run_rows.notification(conn, self.row["id"]))
        left: dict[str, int] = self.phase.get("left", {})
        if left:
            attention += sum(left.values())
            said["reasons"] = {**said["reasons"], **left}
        return said, attention

"""The planning half of a run: what is wanted is worked out, candidates are decided and recorded.

A chunk at a time, each committed with the place behind it. What the guard holds back and what is
carried out is decided in `reconcile.runs`; nothing here speaks to a platform.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.advancing import Advancing
from reconcile.context import compared_fields, lane_of, plan_context
from reconcile.core.actions import Action, Plan, Standing
from reconcile.core.context import PlanContext
from reconcile.core.listings import plan_import, plan_listing
from reconcile.core.states import UNLINKED_CODES
from reconcile.core.types import LinkState, Listing, Operation, Value
from reconcile.store import dirt, marking, pairs, plans, run_rows
from reconcile.store.channel_state import is_current
from reconcile.wanted import refresh_wanted

IMPORT_CHUNK = 200
"""Products decided at once by an import."""


class Planning(Advancing):
    """A run over listings on its way from fetched rows to a recorded plan."""

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
            # A plan is as old as its first part: settings can change while it is made.
            self.phase.setdefault("revision", self.channel.revision)
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


async def _known_keys(conn: AsyncConnection, run_id: int, made: Sequence[Plan]) -> set[str]:
    keys = [action.key for plan in made for action in plan.actions]
    result = await conn.execute(
        text("SELECT key FROM actions WHERE run_id = :run_id AND key = ANY(:keys)"),
        {"run_id": run_id, "keys": keys},
    )
    return {row.key for row in result}

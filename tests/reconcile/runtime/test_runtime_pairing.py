"""SQL pairing and the planner together give what the planner gives for the whole world."""

import asyncio
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from reconcile.core.actions import Action, Decision, Plan, Standing
from reconcile.core.context import PlanContext
from reconcile.core.drafting import action_order
from reconcile.core.listings import plan_import, plan_listing, plan_world
from reconcile.core.types import Failure, Operation
from reconcile.core.world import World
from reconcile.store import marking, pairs
from tests.reconcile.core.worlds import COST, PRICE, QUANTITY, contexts, worlds
from tests.reconcile.runtime.calm_worlds import calm_worlds
from tests.reconcile.runtime.world_rows import (
    CHANNEL_ID,
    RUN_ID,
    insert_channel,
    insert_world,
    numbered,
)

FIELDS = frozenset({QUANTITY, PRICE, COST, "title", "brand", "mpn"})
EXAMPLES = max(60, (settings.default.max_examples if settings.default else 60) // 2)


@st.composite
def cases(draw: st.DrawFn) -> tuple[World, PlanContext]:
    """A world and a full run's context; some of what would be done has failed before."""
    world = numbered(draw(st.one_of(worlds(), calm_worlds(), calm_worlds())))
    context = replace(draw(contexts()), is_full=True)
    if draw(st.booleans()):
        failed = [a for a in plan_world(world, context).actions if draw(st.booleans())]
        world = _with_failures(world, failed)
    return world, context


def _with_failures(world: World, failed: list[Action]) -> World:
    found: dict[str, tuple[Failure, ...]] = {}
    for action in failed:
        failure = Failure(action.kind, action.input_hash, "Rejected", "refused for good")
        found[action.object_id] = (*found.get(action.object_id, ()), failure)
    listings = [
        replace(
            listing,
            failures=found.get(f"listing:{listing.id}", ()),
            variants=tuple(
                replace(variant, failures=found.get(f"variant:{variant.id}", ()))
                for variant in listing.variants
            ),
        )
        for listing in world.listings
    ]
    return World(tuple(listings), world.mirror, world.links)


async def _sql_plan(conn: AsyncConnection, context: PlanContext) -> tuple[Plan, frozenset[str]]:
    """The plan the runtime would make, and the ids of the listings that SQL marked."""
    await marking.mark_candidates(conn, RUN_ID, CHANNEL_ID, context.operation)
    marked = await marking.next_candidates(conn, RUN_ID, 1, 0, 1000)
    listings = await pairs.load_listings(conn, CHANNEL_ID, marked, FIELDS)
    plans = [plan_listing(listing, context) for listing in listings]
    if context.operation is Operation.IMPORT_LISTINGS:
        ids = await pairs.unclaimed_products(conn, CHANNEL_ID, 0, 1000)
        products = await pairs.load_remote_listings(conn, ids)
        matches, duplicates = await pairs.matches_of(conn, CHANNEL_ID, ids)
        plans += [
            plan_import(products[i], matches.get(products[i].id, ()), context, duplicates)
            for i in ids
        ]
    actions: dict[str, Action] = {}
    for plan in plans:
        for action in plan.actions:
            actions.setdefault(action.key, action)
    return Plan(
        tuple(sorted(actions.values(), key=action_order)),
        tuple(decision for plan in plans for decision in plan.decisions),
        tuple(skip for plan in plans for skip in plan.skipped),
    ), frozenset(listing.id for listing in listings)


def test_sql_agrees_with_the_specification(database_url: str) -> None:
    """On random worlds SQL finds every listing to decide, and the plans are the same."""
    with asyncio.Runner() as runner:
        engine = create_async_engine(database_url, pool_size=1)

        async def prepare() -> None:
            async with engine.begin() as conn:
                await insert_channel(conn)

        async def planned(world: World, context: PlanContext) -> tuple[Plan, frozenset[str]]:
            async with engine.connect() as conn:
                await insert_world(conn, world)
                made = await _sql_plan(conn, context)
                await conn.rollback()
            return made

        @settings(
            max_examples=EXAMPLES,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(cases())
        def agree(case: tuple[World, PlanContext]) -> None:
            world, context = case
            expected = plan_world(world, context)
            found, marked = runner.run(planned(world, context))
            assert found.actions == expected.actions
            loud = (Standing.WAITING, Standing.ATTENTION)
            missed = [
                decision
                for decision in expected.decisions
                if decision.listing_id
                and decision.listing_id not in marked
                and decision.standing in loud
            ]
            assert not missed
            heard = {d for d in map(_said, found.decisions) if d[3] in loud}
            assert heard == {d for d in map(_said, expected.decisions) if d[3] in loud}

        try:
            runner.run(prepare())
            agree()
        finally:
            runner.run(engine.dispose())


def _said(decision: Decision) -> tuple[str, str | None, str, Standing, str]:
    return (
        decision.listing_id,
        decision.variant_id,
        decision.code,
        decision.standing,
        decision.message,
    )

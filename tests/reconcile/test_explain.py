"""Explaining a variant: inputs, decision, and what comes next and when."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from reconcile.commands.channels import ChannelEdit, edit, pause, resume
from reconcile.commands.items import Statement, set_quantities
from reconcile.commands.links import link, unlink
from reconcile.commands.operations import Interval, configure, schedule, template_set
from reconcile.commands.runs import RunRequest, request_run
from reconcile.core.actions import ActionKind, Standing
from reconcile.core.mapping import MappingRule, Template
from reconcile.core.types import Operation
from reconcile.explain import Explanation, OperationExplanation, explain
from tests.reconcile.commands.shop import Shop, connect_shop, make_shop
from tests.store_double import variant

pytestmark = pytest.mark.anyio

SYNC = Operation.SYNC_LISTINGS


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    """Yield a channel with one listing and a store that holds it at another price."""
    engine = create_async_engine(database_url, pool_size=3)
    try:
        made = make_shop(engine)
        await connect_shop(made)
        made.store.add("Mug", variant("MUG", price="12", quantity=1))
        await made.listing("MUG", "9.90")
        await made.see()
        await made.rows("INSERT INTO workers VALUES ('w', now(), now())")
        yield made
    finally:
        await engine.dispose()


async def explained(shop: Shop, sku: str = "MUG") -> Explanation:
    """The explanation of a variant."""
    found = await explain(shop.deps, (await shop.variant(sku)).id)
    assert found is not None
    return found


def of(explanation: Explanation, operation: Operation) -> OperationExplanation:
    """What is said about one operation."""
    return next(item for item in explanation.operations if item.operation is operation)


async def linked(shop: Shop) -> int:
    """Link the variant by hand; its id."""
    variant_id = (await shop.variant("MUG")).id
    await link(shop.deps, variant_id, next(iter(shop.store.products)), None, by="me")
    return variant_id


async def test_an_unlinked_variant_says_that_it_will_be_linked(shop: Shop) -> None:
    """What was compared, and that one object matches."""
    found = await explained(shop)
    assert found.link.compared == "our SKU with their SKU"
    assert "one object matches" in found.link.message
    sync = of(found, SYNC)
    assert [action.kind for action in sync.actions] == [ActionKind.LINK]
    assert sync.next.code == "OnRequest"
    assert {item.operation for item in found.operations} == {
        Operation.IMPORT_LISTINGS,
        Operation.LINK_LISTINGS,
        Operation.SYNC_LISTINGS,
        Operation.PUBLISH_LISTINGS,
    }
    assert of(found, Operation.IMPORT_LISTINGS).next.code == "ManualOnly"


async def test_fresh_statements_count_before_a_run_has_seen_them(shop: Shop) -> None:
    """Values that are still to be worked out are worked out for the explanation, not stored."""
    await linked(shop)
    await set_quantities(shop.deps, [Statement("MUG", 12)], by="me")
    await edit(shop.deps, shop.channel_id, ChannelEdit(buffer=4), by="me")

    found = await explained(shop)

    assert found.quantity.wanted == 8
    assert "4 buffer = 8" in found.quantity.steps[0]
    changes = {
        change.field: (change.before, change.after)
        for action in of(found, SYNC).actions
        for change in action.changes
    }
    assert changes == {"price": ("12", "9.9"), "quantity": (1, 8)}
    assert (await shop.variant("MUG")).is_stale


async def test_a_field_that_is_not_mapped_is_named(shop: Shop) -> None:
    """The template says which fields do not go, and where they were switched off (T4)."""
    own = Template((MappingRule("list_price", "price", enabled=False),))
    await template_set(shop.deps, shop.channel_id, SYNC, own, by="me")
    disabled = {
        item.field: item.message for item in of(await explained(shop), SYNC).disabled_fields
    }
    assert set(disabled) == {"price", "quantity"}
    assert "is disabled" in disabled["price"]
    assert "does not feed it" in disabled["quantity"]


async def test_a_person_unlinked_it(shop: Shop) -> None:
    """What a person did is said, with what a person can do."""
    variant_id = await linked(shop)
    await unlink(shop.deps, variant_id, by="ann")
    found = await explained(shop)
    assert "Unlinked by ann" in found.link.message
    decisions = of(found, SYNC).decisions
    assert [item.code for item in decisions if item.standing is Standing.ATTENTION] == [
        "UnlinkedByPerson"
    ]


async def test_why_a_sync_does_not_run(shop: Shop) -> None:
    """Each cause is told apart, the one that stops most first (T3)."""
    await linked(shop)

    async def next_code() -> str:
        return of(await explained(shop), SYNC).next.code

    await schedule(shop.deps, shop.channel_id, SYNC, Interval(600), by="me")
    prospect = of(await explained(shop), SYNC).next
    assert prospect.code == "Scheduled"
    assert prospect.at is not None
    run = await request_run(shop.deps, shop.channel_id, RunRequest(SYNC), by="me")
    assert await next_code() == "Queued"
    await shop.rows("UPDATE runs SET state = 'FETCHING' WHERE id = :id", id=run.run_id)
    assert await next_code() == "Running"
    await shop.rows(
        "INSERT INTO conditions (channel_id, object_kind, object_id, type, status, reason, message)"
        " VALUES (:c, 'channel', :c, 'Budget', 'ATTENTION', 'RateLimited', 'Wait')",
        c=shop.channel_id,
    )
    assert await next_code() == "WaitingForBudget"
    await shop.rows("UPDATE workers SET seen_at = now() - interval '1 hour'")
    assert await next_code() == "WorkerDown"
    await shop.rows(
        """
INSERT INTO actions (channel_id, run_id, kind, object_id, write_group, variant_id, key, input_hash,
    lane, state, reason, message, outcome_message)
SELECT :c, :r, 'SYNC', 'variant:' || v.id, 'price', v.id, 'k', 'h', 2, 'REFUSED', 'Differs', 'x',
    '12 of 10' FROM listing_variants v
""",
        c=shop.channel_id,
        r=run.run_id,
    )
    held = of(await explained(shop), SYNC).next
    assert held.code == "AwaitingApproval"
    assert "12 of 10" in held.message
    await configure(shop.deps, shop.channel_id, SYNC, paused=True, by="me")
    assert await next_code() == "OperationPaused"
    await configure(shop.deps, shop.channel_id, SYNC, enabled=False, by="me")
    assert await next_code() == "Disabled"
    await pause(shop.deps, shop.channel_id, by="me")
    assert await next_code() == "ChannelPaused"
    await resume(shop.deps, shop.channel_id, by="me")
    assert await next_code() == "Disabled"


async def test_the_latest_actions_and_requests_are_shown(shop: Shop) -> None:
    """What was tried last, the newest first."""
    await linked(shop)
    run = await request_run(shop.deps, shop.channel_id, RunRequest(SYNC), by="me")
    await shop.rows(
        """
WITH a AS (
    INSERT INTO actions (channel_id, run_id, kind, object_id, write_group, variant_id, key,
        input_hash, lane, state, reason, message)
    SELECT :c, :r, 'SYNC', 'variant:' || v.id, 'price', v.id, 'k', 'h', 2, 'FAILED', 'Differs', 'x'
    FROM listing_variants v RETURNING id)
INSERT INTO attempts (channel_id, run_id, action_ids, at, method, url, milliseconds)
SELECT :c, :r, ARRAY[a.id], now(), 'POST', '/x', 5 FROM a
""",
        c=shop.channel_id,
        r=run.run_id,
    )
    found = await explained(shop)
    assert [action.state for action in found.recent] == ["FAILED"]
    assert [attempt.url for attempt in found.attempts] == ["/x"]


async def test_an_unknown_variant_is_not_explained(shop: Shop) -> None:
    """There is nothing to say."""
    assert await explain(shop.deps, 4711) is None

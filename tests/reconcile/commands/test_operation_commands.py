"""Configuring operations: switches, settings, schedules and mapping templates."""

from datetime import timedelta

import pytest

from reconcile.commands.errors import CommandError
from reconcile.commands.operations import (
    Cron,
    Interval,
    configure,
    next_cron,
    schedule,
    template_problems,
    template_reset,
    template_set,
)
from reconcile.core.mapping import Case, MappingRule, MappingSet, Template
from reconcile.core.types import Operation
from reconcile.store.channels import ChannelOperation, operations_by_channel
from reconcile.store.templates import effective_template, template_from_json, template_to_json
from tests.reconcile.commands.shop import Shop, codes

pytestmark = pytest.mark.anyio

SYNC = Operation.SYNC_LISTINGS
IMPORT = Operation.IMPORT_LISTINGS


async def operation(shop: Shop, name: Operation) -> ChannelOperation:
    """An operation of the channel as stored."""
    async with shop.deps.engine.connect() as conn:
        found = await operations_by_channel(conn, shop.deps, [shop.channel_id])
    return next(item for item in found[shop.channel_id] if item.operation is name)


async def test_switches_and_settings(shop: Shop) -> None:
    """What is None stays; settings merge, and their change outdates plans."""
    before = (await shop.channel()).revision
    await configure(shop.deps, shop.channel_id, IMPORT, enabled=False, by="me")
    assert (await shop.channel()).revision == before
    await configure(
        shop.deps, shop.channel_id, IMPORT, paused=True, settings={"pause_new": True}, by="me"
    )

    found = await operation(shop, IMPORT)
    assert (found.is_enabled, found.is_paused) == (False, True)
    settings = type(found.settings)(pause_new=True, mode="create")  # type: ignore[call-arg]
    assert found.settings == settings
    assert (await shop.channel()).revision == before + 1


async def test_wrong_settings_are_named(shop: Shop) -> None:
    """A choice that does not exist is refused with the field."""
    with pytest.raises(CommandError) as raised:
        await configure(shop.deps, shop.channel_id, IMPORT, settings={"mode": "x"}, by="me")
    assert codes(raised.value) == [("INVALID", ("settings", "mode"))]
    assert "create_and_overwrite" in str(raised.value)


async def test_unsupported_operation_is_refused_with_the_reason(shop: Shop) -> None:
    """What the platform does not do cannot be configured."""
    with pytest.raises(CommandError, match="The double has no orders") as raised:
        await configure(shop.deps, shop.channel_id, Operation.GET_ORDERS, enabled=True, by="me")
    assert codes(raised.value) == [("UNSUPPORTED", ("operation",))]


async def test_schedules(shop: Shop) -> None:
    """An interval, then cron, then by hand again; the last one given holds."""
    due = await schedule(shop.deps, shop.channel_id, SYNC, Interval(900), full=True, by="me")
    assert due is not None
    assert abs(due - shop.clock() - timedelta(minutes=15)) < timedelta(seconds=5)
    found = await operation(shop, SYNC)
    assert (found.interval_seconds, found.cron, found.schedule_full) == (900, None, True)

    due = await schedule(shop.deps, shop.channel_id, SYNC, Cron("30 4 * * *"), by="me")
    assert due is not None
    assert (due.hour, due.minute) == (4, 30)
    found = await operation(shop, SYNC)
    assert (found.interval_seconds, found.cron, found.next_due_at) == (None, "30 4 * * *", due)

    assert await schedule(shop.deps, shop.channel_id, SYNC, None, by="me") is None
    assert (await operation(shop, SYNC)).next_due_at is None


@pytest.mark.parametrize(
    "wrong", [Interval(5), Interval(10**9), Cron("every day"), Cron("61 * * * *"), Cron("@hourly")]
)
async def test_impossible_schedules_are_refused(shop: Shop, wrong: Interval | Cron) -> None:
    """A schedule that never comes due, or always is, is refused."""
    with pytest.raises(CommandError) as raised:
        await schedule(shop.deps, shop.channel_id, SYNC, wrong, by="me")
    assert raised.value.problems[0].code == "INVALID"


async def test_a_date_that_never_comes_is_refused(shop: Shop) -> None:
    """The 30th of February is no time."""
    with pytest.raises(CommandError):
        next_cron("0 0 30 2 *", shop.clock())


async def test_manual_only_operation_cannot_be_scheduled(shop: Shop) -> None:
    """Importing listings is started by hand on this platform."""
    with pytest.raises(CommandError) as raised:
        await schedule(shop.deps, shop.channel_id, IMPORT, Interval(900), by="me")
    assert codes(raised.value) == [("MANUAL_ONLY", ("schedule",))]


TEMPLATE = Template(
    (
        MappingRule(
            "msrp",
            "price",
            mapping_set=MappingSet(
                "Sale", (Case("brand", "Acme", {"a": 1}),), keep_unmatched=False
            ),
        ),
        MappingRule("quantity", "quantity", enabled=False),
    )
)


def test_templates_survive_storage() -> None:
    """A template read back is the template that was stored."""
    assert template_from_json(template_to_json(TEMPLATE)) == TEMPLATE


async def test_template_set_and_reset(shop: Shop) -> None:
    """A template of the channel's own makes everything stale, and so does its end."""
    await shop.listing("A", "1.00")
    await shop.settle()
    own = Template((MappingRule("msrp", "price"),))
    revision = (await shop.channel()).revision

    await template_set(shop.deps, shop.channel_id, SYNC, own, by="me")
    found = await operation(shop, SYNC)
    channel = await shop.channel()
    assert effective_template(channel.platform, SYNC, found.template) == own
    assert channel.revision == revision + 1
    assert (await shop.variant("A")).is_stale

    await template_reset(shop.deps, shop.channel_id, SYNC, by="me")
    assert (await operation(shop, SYNC)).template is None
    assert (await shop.channel()).revision == revision + 2


async def test_wrong_template_is_refused_with_the_field(shop: Shop) -> None:
    """Content does not belong to a sync; nothing is stored."""
    wrong = Template((MappingRule("title", "title"), MappingRule("list_price", "prize")))
    with pytest.raises(CommandError) as raised:
        await template_set(shop.deps, shop.channel_id, SYNC, wrong, by="me")

    assert codes(raised.value) == [("INVALID", ("rules", "title")), ("INVALID", ("rules", "prize"))]
    problems = await template_problems(shop.deps, shop.channel_id, SYNC, wrong)
    assert problems == raised.value.problems
    assert (await operation(shop, SYNC)).template is None

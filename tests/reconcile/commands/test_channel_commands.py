"""Connecting, editing, reconnecting, checking, pausing and removing channels."""

import pytest

from reconcile.commands.changes import UNSET
from reconcile.commands.channels import (
    ChannelEdit,
    NewChannel,
    check,
    connect,
    edit,
    pause,
    reconnect,
    remove,
    resume,
)
from reconcile.commands.errors import CommandError
from reconcile.commands.items import Statement, set_quantities
from reconcile.commands.listings import ListingDraft, VariantDraft, upsert
from reconcile.commands.runs import RunRequest, request_run
from reconcile.contract import UnauthorizedError, UnavailableError
from reconcile.core.types import Operation, WritePolicy
from reconcile.store.channels import (
    ChannelFilter,
    channel_by_name,
    list_channels,
    operations_by_channel,
)
from reconcile.store.conditions import conditions_of
from tests.reconcile.commands.shop import RIGHT, Shop, codes, connect_shop
from tests.store_double import variant

pytestmark = pytest.mark.anyio


async def test_connect_saves_what_the_account_said(stores: Shop) -> None:
    """A connected channel has the account's id and currency, and all supported operations."""
    channel_id = await connect(stores.deps, NewChannel("Main", "double", RIGHT), by="me")

    async with stores.deps.engine.connect() as conn:
        channel = await channel_by_name(conn, stores.deps, "Main")
        operations = await operations_by_channel(conn, stores.deps, [channel_id])
    assert channel is not None
    assert channel.account.account_id == "account-main"
    assert channel.account.currency == "EUR"
    assert (channel.our_identifier, channel.their_identifier) == ("sku", "sku")
    assert [item.operation for item in operations[channel_id]] == [
        Operation.IMPORT_LISTINGS,
        Operation.LINK_LISTINGS,
        Operation.SYNC_LISTINGS,
        Operation.PUBLISH_LISTINGS,
    ]


async def test_credentials_are_readable_nowhere(stores: Shop) -> None:
    """The secret stands in no column as it is, and in no repr."""
    new = NewChannel("Main", "double", {"store": "main", "secret": "right"})
    await connect(stores.deps, new, by="me")

    row = (await stores.rows("SELECT * FROM channels"))[0]
    assert "right" not in str(dict(row))
    assert "right" not in repr(new)


async def test_wrong_credentials_are_refused_with_the_reason(stores: Shop) -> None:
    """The platform's reason is told, and nothing is saved."""
    wrong = {"store": "main", "secret": "wrong-secret"}
    with pytest.raises(CommandError) as raised:
        await connect(stores.deps, NewChannel("Main", "double", wrong), by="me")

    assert codes(raised.value) == [("UNAUTHORIZED", ("credentials",))]
    assert "does not know this secret" in str(raised.value)
    assert "wrong-secret" not in str(raised.value)
    assert await stores.rows("SELECT id FROM channels") == []


async def test_a_store_that_does_not_answer_is_told_apart(stores: Shop) -> None:
    """Unreachable is not unauthorized."""
    stores.store.fail(UnavailableError("The store did not answer."), "check")
    with pytest.raises(CommandError) as raised:
        await connect(stores.deps, NewChannel("Main", "double", RIGHT), by="me")

    assert codes(raised.value) == [("UNAVAILABLE", ("credentials",))]


async def test_all_problems_are_told_at_once(stores: Shop) -> None:
    """Every wrong field is named, with where its value is found."""
    new = NewChannel(
        " ",
        "double",
        {"secrets": "x"},
        settings={"color": "green", "pages": "many"},
        our_identifier="upc",
        their_identifier="sku",
        buffer=-1,
        guard={"share": "2", "size": 1},
    )
    with pytest.raises(CommandError) as raised:
        await connect(stores.deps, new, by="me")

    assert set(codes(raised.value)) == {
        ("INVALID", ("name",)),
        ("INVALID", ("buffer",)),
        ("UNKNOWN_FIELD", ("credentials", "secrets")),
        ("MISSING", ("credentials", "store")),
        ("MISSING", ("credentials", "secret")),
        ("INVALID", ("settings", "color")),
        ("INVALID", ("settings", "pages")),
        ("INVALID", ("our_identifier",)),
        ("INVALID", ("guard", "share")),
        ("UNKNOWN_FIELD", ("guard", "size")),
    }
    messages = {problem.path: problem.message for problem in raised.value.problems}
    assert "Settings, then Advanced, then Secrets" in messages["credentials", "secret"]
    assert stores.store.requests == []


async def test_unknown_platform_is_refused(stores: Shop) -> None:
    """The known ones are named."""
    with pytest.raises(CommandError, match="known: double"):
        await connect(stores.deps, NewChannel("Main", "unknown", RIGHT), by="me")


async def test_same_account_or_name_twice_is_a_conflict(shop: Shop) -> None:
    """One account is one channel, one name too; another account of the platform is fine."""
    with pytest.raises(CommandError) as raised:
        await connect(shop.deps, NewChannel("Second", "double", RIGHT), by="me")
    assert codes(raised.value) == [("CONFLICT", ("credentials",))]

    other = {"store": "other", "secret": "right"}
    with pytest.raises(CommandError) as raised:
        await connect(shop.deps, NewChannel("Main", "double", other), by="me")
    assert codes(raised.value) == [("CONFLICT", ("name",))]

    await connect(shop.deps, NewChannel("Second", "double", other), by="me")
    async with shop.deps.engine.connect() as conn:
        page = await list_channels(conn, shop.deps, ChannelFilter(platform="double"), None, 1)
        rest = await list_channels(conn, shop.deps, ChannelFilter(), page.rows[0].id, 5)
    assert page.has_next
    assert [channel.name for channel in rest.rows] == ["Second"]


async def test_edit_changes_only_what_is_stated(shop: Shop) -> None:
    """Settings merge, a buffer makes everything due, and plans made before are outdated."""
    await shop.listing("A", "1.00")
    await shop.settle()
    before = await shop.channel()

    change = ChannelEdit(
        buffer=2,
        cap=None,
        settings={"color": "blue"},
        policy=WritePolicy.ENRICH,
        guard={"count": 5},
    )
    await edit(shop.deps, shop.channel_id, change, by="me")

    after = await shop.channel()
    assert after.buffer == 2
    assert after.policy is WritePolicy.ENRICH
    assert after.guard == {"count": 5}
    assert after.settings == type(after.settings)(color="blue", pages=3)  # type: ignore[call-arg]
    assert after.revision == before.revision + 1
    assert (await shop.variant("A")).is_stale
    assert await shop.dirty()


async def test_renaming_outdates_no_plan(shop: Shop) -> None:
    """A name decides nothing."""
    before = await shop.channel()
    await edit(shop.deps, shop.channel_id, ChannelEdit(name="New"), by="me")

    after = await shop.channel()
    assert after.name == "New"
    assert after.revision == before.revision


async def test_editing_nothing_changes_nothing(shop: Shop) -> None:
    """An edit that says what holds already is no edit."""
    before = await shop.channel()
    await edit(shop.deps, shop.channel_id, ChannelEdit(buffer=0, cap=UNSET), by="me")
    assert (await shop.channel()).revision == before.revision


async def test_new_linking_identifiers_rekey_both_sides(shop: Shop) -> None:
    """Our UPCs and their barcodes become the keys; a UPC of the listing is its only variant's."""
    shop.store.add("Mug", variant("MUG", barcode="4006381333931"))
    await shop.see()
    await shop.listing("A", upc="4006381333931")
    draft = ListingDraft(
        "P", {"upc": "999999999999"}, variants=[VariantDraft("P-1"), VariantDraft("P-2")]
    )
    await upsert(shop.deps, shop.channel_id, draft, by="me")
    assert (await shop.variant("A")).link_key == "A"

    change = ChannelEdit(our_identifier="upc", their_identifier="barcode")
    await edit(shop.deps, shop.channel_id, change, by="me")

    assert (await shop.variant("A")).link_key == "4006381333931"
    assert (await shop.variant("P-1")).link_key is None
    remote = await shop.rows("SELECT link_key FROM remote_variants")
    assert remote[0]["link_key"] == "4006381333931"

    with pytest.raises(CommandError) as raised:
        await edit(shop.deps, shop.channel_id, ChannelEdit(their_identifier="sku"), by="me")
    assert codes(raised.value) == [("INVALID", ("our_identifier",))]


async def test_reconnect_keeps_everything_and_lifts_the_pause(shop: Shop) -> None:
    """New credentials of the same account mend a channel that was paused for the old ones."""
    await shop.listing("A", "1.00")
    shop.store.secret = "renewed"
    with pytest.raises(CommandError) as raised:
        await check(shop.deps, shop.channel_id, by="me")
    assert codes(raised.value) == [("UNAUTHORIZED", ("credentials",))]
    paused = await shop.channel()
    assert (paused.is_paused, paused.pause_reason) == (True, "Unauthorized")

    renewed = {"store": "main", "secret": "renewed"}
    await reconnect(shop.deps, shop.channel_id, renewed, by="me")

    channel = await shop.channel()
    assert not channel.is_paused
    async with shop.deps.engine.connect() as conn:
        assert await conditions_of(conn, "channel", [shop.channel_id]) == {}
    assert (await shop.variant("A")).sku == "A"
    assert {channel_id for channel_id, _ in shop.bell.rings} == {shop.channel_id}


async def test_reconnect_with_another_account_is_refused(shop: Shop) -> None:
    """Credentials of another store would move links to objects they do not mean."""
    before = await shop.channel()
    with pytest.raises(CommandError) as raised:
        await reconnect(shop.deps, shop.channel_id, {"store": "other", "secret": "right"}, by="me")
    assert codes(raised.value) == [("OTHER_ACCOUNT", ("credentials",))]
    assert (await shop.channel()).secret == before.secret


async def test_reconnect_never_reuses_an_earlier_secret(shop: Shop) -> None:
    """A store's address without its secret is refused: the old one would be sent there."""
    with pytest.raises(CommandError) as raised:
        await reconnect(shop.deps, shop.channel_id, {"store": "other"}, by="me")
    assert codes(raised.value) == [("MISSING", ("credentials", "secret"))]
    assert "check" in shop.store.requests
    assert shop.other.requests == []


async def test_check_notices_another_account_or_currency(shop: Shop) -> None:
    """Whatever answers now is not what the links were made for: the channel stops."""
    shop.store.account_id = "account-moved"
    with pytest.raises(CommandError) as raised:
        await check(shop.deps, shop.channel_id, by="me")
    assert codes(raised.value) == [("OTHER_ACCOUNT", ())]
    assert (await shop.channel()).pause_reason == "OtherAccount"

    shop.store.account_id = "account-main"
    shop.store.currency = "GBP"
    await check(shop.deps, shop.channel_id, by="me")
    channel = await shop.channel()
    assert channel.pause_reason == "OtherCurrency"
    assert channel.account.currency == "EUR"


async def test_pause_and_resume(shop: Shop) -> None:
    """A person's pause lasts until resumed; doing either twice is refused."""
    await pause(shop.deps, shop.channel_id, by="me")
    with pytest.raises(CommandError) as raised:
        await pause(shop.deps, shop.channel_id, by="me")
    assert codes(raised.value) == [("WRONG_STATE", ())]
    with pytest.raises(CommandError) as raised:
        await request_run(shop.deps, shop.channel_id, RunRequest(Operation.SYNC_LISTINGS), by="me")
    assert codes(raised.value) == [("PAUSED", ("channel_id",))]

    await resume(shop.deps, shop.channel_id, by="me")
    assert not (await shop.channel()).is_paused
    with pytest.raises(CommandError):
        await resume(shop.deps, shop.channel_id, by="me")


async def test_remove_keeps_history_and_frees_the_name(shop: Shop) -> None:
    """The store is left alone, what waited is canceled, the secret is gone, the name is free."""
    await shop.listing("A", "1.00")
    await set_quantities(shop.deps, [Statement("A", 3)], by="me")
    run = await request_run(
        shop.deps, shop.channel_id, RunRequest(Operation.SYNC_LISTINGS), by="me"
    )
    asked = list(shop.store.requests)

    await remove(shop.deps, shop.channel_id, by="me")

    assert shop.store.requests == asked
    row = (await shop.rows("SELECT state FROM runs WHERE id = :id", id=run.run_id))[0]
    assert row["state"] == "CANCELED"
    removed = await shop.channel()
    assert removed.removed_at is not None
    assert shop.deps.cipher.decrypt(removed.secret) == {}
    with pytest.raises(CommandError) as raised:
        await pause(shop.deps, shop.channel_id, by="me")
    assert codes(raised.value) == [("NOT_FOUND", ("channel_id",))]
    assert await connect_shop(shop) != removed.id


async def test_removing_takes_the_lease_away(shop: Shop) -> None:
    """A worker in the middle of its slice can commit nothing more."""
    await shop.rows(
        "INSERT INTO leases (channel_id, side, epoch, holder, expires_at) "
        "VALUES (:id, 'LISTINGS', 4, 'w', now() + interval '1 minute')",
        id=shop.channel_id,
    )
    await remove(shop.deps, shop.channel_id, by="me")
    lease = (await shop.rows("SELECT * FROM leases"))[0]
    assert (lease["epoch"], lease["holder"]) == (5, None)


async def test_check_passes_on_what_the_platform_refuses(shop: Shop) -> None:
    """A refusal while checking names the platform and pauses the channel."""
    shop.store.fail(UnauthorizedError("Key revoked."), "check")
    with pytest.raises(CommandError, match="Double refused the credentials: Key revoked"):
        await check(shop.deps, shop.channel_id, by="me")

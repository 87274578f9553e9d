"""Listings, variants, links and items through the API."""

from typing import Any

import pytest

from reconcile.deps import Deps
from reconcile.worker import drain_until_idle
from tests.api.asking import Client, connected
from tests.store_double import DoubleStore, variant

pytestmark = pytest.mark.anyio

VARIANT = "query Q($channel: ID!, $sku: String!) { variant(channel: $channel, sku: $sku) { %s } }"
PRICE = {"amount": "9.90", "currency": "EUR"}


async def upserted(client: Client, channel: str, sku: str, **fields: Any) -> dict[str, str]:
    """Ids of a new simple listing and of its variant."""
    payload = await client.do(
        "listingUpsert",
        {"channel": channel, "sku": sku, "fields": {"title": sku.title(), **fields}},
        "listing { id variants { nodes { id } } }",
    )
    listing = payload["listing"]
    return {"listing": listing["id"], "variant": listing["variants"]["nodes"][0]["id"]}


async def run(client: Client, deps: Deps, channel: str, operation: str, **given: Any) -> Any:
    """The run of an operation, executed to its end."""
    payload = await client.do(
        "runRequest", {"channel": channel, "operation": operation, **given}, "run { id }"
    )
    await drain_until_idle(deps, 1)
    number = payload["run"]["id"]
    data = await client.ask(
        "query Q($id: ID!) { run(id: $id) { id state result report { variants { linked updated "
        "failed skipped } reasons { code count } } actionCounts { kind state count } } }",
        id=number,
    )
    return data["run"]


async def test_a_listing_is_created_changed_and_found(api: Client) -> None:
    """Upsert creates once, changes what is stated, and says which it was."""
    channel = await connected(api)
    given = {
        "channel": channel,
        "sku": "TEE",
        "fields": {"title": "Tee", "brand": "Acme"},
        "optionNames": ["Size"],
        "variants": [
            {
                "sku": f"TEE-{size}",
                "fields": {"list_price": PRICE},
                "options": [{"name": "Size", "value": size}],
            }
            for size in ("S", "M")
        ],
    }
    selection = (
        "isNew isChanged listing { id sku title optionNames linkState syncStatus channel { name } "
        "fields { name value source statedBy } counts { variants unlinked } "
        "variants { totalCount nodes { sku options { name value } link { state isHeld } presence "
        "seenPresence isPaused } } }"
    )

    first = await api.do("listingUpsert", given, selection)
    second = await api.do("listingUpsert", given, selection)
    third = await api.do(
        "listingUpsert",
        {"channel": channel, "sku": "TEE", "fields": {"title": "T-shirt", "brand": None}},
        selection,
    )
    by_sku = await api.ask(
        'query Q($c: ID!) { listing(channel: $c, sku: "TEE-M") { sku } }', c=channel
    )

    assert (first["isNew"], second["isNew"], second["isChanged"]) == (True, False, False)
    assert first["listing"]["counts"] == {"variants": 2, "unlinked": 2}
    assert first["listing"]["variants"]["totalCount"] == 2
    assert first["listing"]["variants"]["nodes"][1]["options"] == [{"name": "Size", "value": "M"}]
    assert (third["isNew"], third["isChanged"]) == (False, True)
    assert third["listing"]["title"] == "T-shirt"
    names = {field["name"]: field for field in third["listing"]["fields"]}
    assert names["title"]["statedBy"] == "token:test"
    assert "brand" not in names
    assert by_sku == {"listing": {"sku": "TEE"}}


async def test_a_bad_listing_is_refused_field_by_field(api: Client) -> None:
    """A wrong value is named with its place; nothing is saved."""
    channel = await connected(api)
    given = {
        "channel": channel,
        "sku": "X",
        "fields": {"list_price": {"amount": "-1", "currency": "EUR"}, "color": "red"},
    }

    errors = await api.refusal("listingUpsert", given)
    (no_object,) = await api.refusal("listingUpsert", {**given, "fields": [1]})
    data = await api.ask("{ listings { totalCount } }")

    assert {error["path"][1] for error in errors} == {"fields"}
    assert no_object["code"] == "INVALID"
    assert data["listings"]["totalCount"] == 0


async def test_listings_are_filtered_and_paged(api: Client) -> None:
    """Filters choose, cursors page without gaps, the total counts the whole."""
    channel = await connected(api)
    for number in range(5):
        await upserted(api, channel, f"MUG-{number}")
    await upserted(api, channel, "CUP")
    query = (
        "query Q($after: String, $where: ListingFilterInput) { listings(first: 2, after: $after, "
        "where: $where) { totalCount nodes { sku } edges { cursor } "
        "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"
    )

    found: list[str] = []
    after = None
    for _ in range(3):
        page = (await api.ask(query, after=after, where={"skuPrefix": "MUG"}))["listings"]
        found += [node["sku"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        assert page["totalCount"] == 5

    assert found == [f"MUG-{number}" for number in range(5)]
    assert page["pageInfo"]["hasNextPage"] is False
    assert page["pageInfo"]["hasPreviousPage"] is True
    for where, count in (
        ({"titleContains": "cu"}, 1),
        ({"channel": channel}, 6),
        ({"linkState": "LINKED"}, 0),
        ({"sku": "CUP", "isPaused": False, "presence": "LISTED"}, 1),
        ({"needsAttention": True}, 0),
    ):
        data = await api.ask(query, where=where)
        assert data["listings"]["totalCount"] == count, where


async def test_bulk_commands_answer_id_by_id(api: Client) -> None:
    """Every id gets its result in order; a bad one or a refused one stops none of the others."""
    channel = await connected(api)
    ids = [await upserted(api, channel, f"MUG-{number}") for number in range(2)]
    given = {"ids": [ids[0]["listing"], "nonsense", ids[1]["variant"], "TGlzdGluZzo5OTk"]}

    payload = await api.mutate(
        "listingPause",
        given,
        "results { id changedVariants node { ... on Listing { sku } ... on ListingVariant "
        "{ sku isPaused } } userErrors { code path } }",
    )

    codes = [[error["code"] for error in each["userErrors"]] for each in payload["results"]]
    assert codes == [[], ["BAD_ID"], [], ["NOT_FOUND"]]
    assert [each["id"] for each in payload["results"]] == given["ids"]
    assert payload["results"][0] == {
        "id": ids[0]["listing"],
        "changedVariants": 1,
        "node": {"sku": "MUG-0"},
        "userErrors": [],
    }
    assert payload["results"][2]["node"] == {"sku": "MUG-1", "isPaused": True}
    assert payload["results"][1]["userErrors"][0]["path"] == ["input", "ids", "1"]
    assert len(payload["userErrors"]) == 2


async def test_what_a_state_does_not_allow_is_refused(api: Client) -> None:
    """Unhiding what is not hidden says so; hide, delist and relist follow each other."""
    channel = await connected(api)
    ids = await upserted(api, channel, "MUG")
    target = {"ids": [ids["listing"]]}

    (refused,) = await api.refusal("listingUnhide", target)
    await api.do("listingHide", target, "")
    hidden = await api.ask(VARIANT % "presence isPresenceStated", channel=channel, sku="MUG")
    await api.do("listingUnhide", target, "")
    await api.do("listingDelist", target, "")
    await api.do("listingRelist", target, "results { changedVariants }")
    (unpause,) = await api.refusal("listingUnpause", target)

    assert unpause["code"] == "WRONG_STATE"
    assert refused["code"] == "WRONG_STATE"
    assert "hidden" in refused["message"]
    assert hidden["variant"] == {"presence": "HIDDEN", "isPresenceStated": True}


async def test_a_filter_pauses_many(api: Client) -> None:
    """Pausing what a filter chooses needs a channel and tells how many changed."""
    channel = await connected(api)
    for number in range(3):
        await upserted(api, channel, f"MUG-{number}")

    done = await api.do(
        "listingPauseMatching",
        {"where": {"channel": channel, "skuPrefix": "MUG-"}},
        "changedVariants",
    )
    back = await api.do(
        "listingUnpauseMatching", {"where": {"channel": channel}}, "changedVariants"
    )
    (refused,) = await api.refusal("listingPauseMatching", {"where": {"skuPrefix": "MUG"}})

    assert (done["changedVariants"], back["changedVariants"]) == (3, 3)
    assert (refused["code"], refused["path"]) == ("MISSING", ["input", "where", "channel"])


async def test_a_sync_shows_wanted_and_seen(api: Client, deps: Deps, store: DoubleStore) -> None:
    """After link and sync the variant shows both sides, and the run what it did."""
    store.add("Mug", variant("MUG", price="5", quantity=1))
    channel = await connected(api)
    await upserted(api, channel, "MUG", list_price=PRICE)
    await api.do("itemSet", {"statements": [{"sku": "MUG", "quantity": 7}]}, "")

    done = await run(api, deps, channel, "SYNC_LISTINGS")
    data = await api.ask(
        VARIANT % "syncStatus seenPresence needsAttention withheld { field } item { stated } "
        "values { field wanted seen isInSync } link { state origin remote { sku seen linkedTo "
        "{ sku } } } listing { sku syncStatus } conditions { type status reason }",
        channel=channel,
        sku="MUG",
    )
    log = await api.ask(
        "query Q($run: ID!) { run(id: $run) { actions { totalCount nodes { kind state reason "
        "{ code } changes { field before after } outcome { code } variant { sku } listing { sku } "
        "attempts { method } run { id } channel { name } } } attempts { nodes { method } } "
        "recent: actions(states: [APPLIED], kinds: [SYNC]) { nodes { kind } } } "
        "actions(where: {run: $run, kinds: [SYNC]}) { totalCount nodes { id } } "
        "attempts(where: {run: $run}) { nodes { id } } }",
        run=done["id"],
    )

    found = data["variant"]
    assert (done["state"], done["result"]) == ("REPORTED", "SUCCEEDED")
    assert (found["syncStatus"], found["seenPresence"]) == ("IN_SYNC", "LISTED")
    assert found["item"] == {"stated": 7}
    assert found["link"]["state"] == "LINKED"
    assert found["link"]["remote"]["linkedTo"] == {"sku": "MUG"}
    assert {each["field"]: each["isInSync"] for each in found["values"]} == {
        "price": True,
        "quantity": True,
    }
    kinds = {node["kind"] for node in log["run"]["actions"]["nodes"]}
    assert kinds == {"LINK", "SYNC"}
    assert {node["kind"] for node in log["run"]["recent"]["nodes"]} == {"SYNC"}
    assert log["actions"]["totalCount"] == len(log["actions"]["nodes"])
    assert store.by_sku("MUG")[1].price == "9.9"


async def test_candidates_and_links_by_hand(api: Client, deps: Deps, store: DoubleStore) -> None:
    """Candidates say what was compared; a person links, unlinks, and a claim is a conflict."""
    store.add("Mug", variant("mug", price="5", quantity=1))
    channel = await connected(api)
    mug = await upserted(api, channel, "MUG")
    cup = await upserted(api, channel, "CUP")
    await run(api, deps, channel, "LINK_LISTINGS", isFull=True)
    selection = "candidates { ourIdentifier key message free { id } nearest { id difference } }"

    found = (await api.ask(VARIANT % selection, channel=channel, sku="MUG"))["variant"]
    remote = found["candidates"]["nearest"][0]["id"]
    linked = await api.do(
        "variantLink", {"id": mug["variant"], "remote": remote}, "variant { link { state origin } }"
    )
    (claimed,) = await api.refusal("variantLink", {"id": cup["variant"], "remote": remote})
    (missing,) = await api.refusal("variantLink", {"id": cup["variant"]})
    (unknown,) = await api.refusal(
        "variantLink", {"id": cup["variant"], "remote": "UmVtb3RlVmFyaWFudDo5OTk"}
    )
    mirror = await api.ask(
        "query Q($c: ID!) { remoteVariants(where: {channel: $c, isLinked: true}) "
        "{ nodes { id sku linkedTo { sku } } } }",
        c=channel,
    )
    unlinked = await api.do(
        "variantUnlink", {"id": mug["variant"]}, "variant { link { state isHeld } }"
    )
    relinked = await api.do(
        "variantRelink", {"id": mug["variant"]}, "variant { link { state isHeld } }"
    )
    (republish,) = await api.refusal("variantRepublish", {"id": mug["variant"]})

    assert found["candidates"]["key"] == "MUG"
    assert "case" in found["candidates"]["nearest"][0]["difference"]
    assert linked["variant"]["link"] == {"state": "LINKED", "origin": "PERSON"}
    assert claimed["code"] == "CONFLICT"
    assert (missing["code"], unknown["code"]) == ("MISSING", "NOT_FOUND")
    assert mirror["remoteVariants"]["nodes"] == [
        {"id": remote, "sku": "mug", "linkedTo": {"sku": "MUG"}}
    ]
    assert unlinked["variant"]["link"] == {"state": "UNLINKED", "isHeld": True}
    assert relinked["variant"]["link"] == {"state": "UNLINKED", "isHeld": False}
    assert republish["code"] == "WRONG_STATE"


async def test_conditions_gather_what_needs_a_person(
    api: Client, deps: Deps, store: DoubleStore
) -> None:
    """Everything that waits for a person stands in one list, with the object it is about."""
    store.add("Mug", variant("MUG"))
    store.add("Mug again", variant("MUG"))
    channel = await connected(api)
    await upserted(api, channel, "MUG")
    await run(api, deps, channel, "LINK_LISTINGS", isFull=True)

    data = await api.ask(
        "query Q($c: ID!) { conditions(where: {channel: $c, status: ATTENTION}) { nodes "
        "{ condition { type reason message } object { ... on ListingVariant { sku link { state } } "
        "... on Listing { sku } ... on Channel { name } } } } "
        "channel(id: $c) { health counts { ambiguous } attention { reason count } } }",
        c=channel,
    )

    (node,) = data["conditions"]["nodes"]
    assert node["object"] == {"sku": "MUG", "link": {"state": "AMBIGUOUS"}}
    assert data["channel"]["health"] == "NEEDS_ATTENTION"
    assert data["channel"]["counts"] == {"ambiguous": 1}
    assert data["channel"]["attention"] == [{"reason": node["condition"]["reason"], "count": 1}]


async def test_explain_says_what_happens_next(api: Client) -> None:
    """Each operation explains its decision and what it waits for, on variant and listing."""
    channel = await connected(api)
    await upserted(api, channel, "MUG", list_price=PRICE)
    selection = (
        "sku link { state compared message } quantity { value steps } attempts { id } "
        "operations { operation decisions { code message standing } actions { kind } "
        "next { code message at } disabledFields { field message } }"
    )

    data = await api.ask(
        VARIANT % f"explain {{ {selection} }} listing {{ explain {{ sku }} }}",
        channel=channel,
        sku="MUG",
    )

    explanation = data["variant"]["explain"]
    assert explanation["sku"] == "MUG"
    assert explanation["quantity"]["value"] is None
    operations = {each["operation"]: each for each in explanation["operations"]}
    assert "SYNC_LISTINGS" in operations
    assert all(each["next"]["message"] for each in explanation["operations"])
    assert data["variant"]["listing"]["explain"] == [{"sku": "MUG"}]

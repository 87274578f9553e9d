"""Runs through the API: previews, approval, the guard, cancel, refusals."""

import pytest

from reconcile.deps import Deps
from reconcile.worker import drain_until_idle
from tests.api.asking import Client, connected
from tests.api.test_listings import PRICE, run, upserted
from tests.store_double import DoubleStore, variant

pytestmark = pytest.mark.anyio


async def test_an_unsupported_operation_is_refused(api: Client) -> None:
    """What the platform cannot do is refused before anything is queued."""
    channel = await connected(api)

    (error,) = await api.refusal("runRequest", {"channel": channel, "operation": "GET_ORDERS"})
    data = await api.ask("{ runs { nodes { id } } }")

    assert (error["code"], error["path"]) == ("UNSUPPORTED", ["input", "operation"])
    assert "The double has no orders." in error["message"]
    assert data == {"runs": {"nodes": []}}


async def test_the_same_run_is_not_queued_twice(api: Client) -> None:
    """An equal run that is queued already is given again."""
    channel = await connected(api)
    given = {"channel": channel, "operation": "SYNC_LISTINGS", "isFull": True}

    first = await api.do("runRequest", given, "isNew run { id state trigger requestedBy isFull }")
    second = await api.do("runRequest", given, "isNew run { id waitingFor { code message } }")

    assert first["isNew"] is True
    assert first["run"]["requestedBy"] == "token:test"
    assert (second["isNew"], second["run"]["id"]) == (False, first["run"]["id"])
    assert second["run"]["waitingFor"]["code"] == "Worker"


async def test_a_preview_writes_nothing_until_it_is_approved(
    api: Client, deps: Deps, store: DoubleStore
) -> None:
    """A plan shows before and after; approved, it is carried out."""
    store.add("Mug", variant("MUG", price="5", quantity=1))
    channel = await connected(api)
    await upserted(api, channel, "MUG", list_price=PRICE)
    await run(api, deps, channel, "LINK_LISTINGS", isFull=True)

    plan = await run(api, deps, channel, "SYNC_LISTINGS", plan=True, isFull=True)
    shown = await api.ask(
        "query Q($id: ID!) { run(id: $id) { isPlanOnly waitingFor { code } actions { nodes { id "
        "state changes { field before after } } } } }",
        id=plan["id"],
    )
    before = store.writes()
    actions = [node["id"] for node in shown["run"]["actions"]["nodes"]]
    approved = await api.do(
        "runApprove", {"id": plan["id"], "actions": actions}, "due stale busy run { approvedBy }"
    )
    await drain_until_idle(deps, 1)

    assert plan["state"] == "PLANNED"
    assert shown["run"]["waitingFor"] == {"code": "Approval"}
    assert shown["run"]["actions"]["nodes"][0]["changes"] == [
        {"field": "price", "before": "5", "after": "9.9"}
    ]
    assert before == []
    assert approved["due"] == 1
    assert approved["run"]["approvedBy"] == "token:test"
    assert store.by_sku("MUG")[1].price == "9.9"


async def test_what_the_guard_holds_back_waits_for_approval(
    api: Client, deps: Deps, store: DoubleStore
) -> None:
    """Effects over budget are refused with numbers; approved by kind of effect they are done."""
    channel = await connected(api)
    for number in range(14):
        store.add(f"Mug {number}", variant(f"MUG-{number}", price="10", quantity=3))
        await upserted(api, channel, f"MUG-{number}")
    await run(api, deps, channel, "LINK_LISTINGS", isFull=True)
    listings = await api.ask("{ listings { nodes { id } } }")
    ids = [node["id"] for node in listings["listings"]["nodes"]]
    await api.do("listingDelist", {"ids": ids}, "")

    held = await run(api, deps, channel, "SYNC_LISTINGS")
    shown = await api.ask(
        "query Q($id: ID!) { run(id: $id) { result guard { kind isAllowed planned executed limit "
        "message } actions(states: [REFUSED]) { nodes { kind guards } } } }",
        id=held["id"],
    )
    products = len(store.products)
    (nothing,) = await api.refusal("runApprove", {"id": held["id"], "guards": []})
    await api.do("runApprove", {"id": held["id"], "guards": ["DELIST"]}, "due")
    await drain_until_idle(deps, 1)

    (verdict,) = shown["run"]["guard"]
    # An empty part is no part: it must not approve everything.
    assert nothing["code"] == "WRONG_STATE"
    assert (verdict["kind"], verdict["isAllowed"], verdict["planned"]) == ("DELIST", False, 14)
    assert len(shown["run"]["actions"]["nodes"]) == 14
    assert products == 14
    assert len(store.products) == 0


async def test_a_run_is_canceled_once(api: Client) -> None:
    """A queued run can be canceled; a canceled one cannot."""
    channel = await connected(api)
    made = await api.do(
        "runRequest", {"channel": channel, "operation": "LINK_LISTINGS"}, "run { id }"
    )
    one = {"id": made["run"]["id"]}

    canceled = await api.do("runCancel", one, "run { state result isCancelRequested }")
    (again,) = await api.refusal("runCancel", one)
    (approve,) = await api.refusal("runApprove", one)
    (ghost,) = await api.refusal("runCancel", {"id": "UnVuOjk5OQ"})

    assert canceled["run"]["isCancelRequested"] or canceled["run"]["state"] == "CANCELED"
    assert {again["code"], approve["code"]} == {"WRONG_STATE"}
    assert again["path"] == ["input", "id"]
    assert ghost["code"] == "NOT_FOUND"


async def test_runs_are_filtered(api: Client, deps: Deps) -> None:
    """The list of runs is narrowed by channel, operation, state and openness."""
    channel = await connected(api)
    done = await run(api, deps, channel, "LINK_LISTINGS", isFull=True)
    await api.do("runRequest", {"channel": channel, "operation": "SYNC_LISTINGS"}, "")
    query = "query Q($where: RunFilterInput) { runs(where: $where) { nodes { id } } }"

    for where, count in (
        ({"channel": channel}, 2),
        ({"operation": "LINK_LISTINGS"}, 1),
        ({"isOpen": True}, 1),
        ({"state": "REPORTED"}, 1),
    ):
        assert len((await api.ask(query, where=where))["runs"]["nodes"]) == count, where
    recent = await api.ask("{ channels { nodes { recentRuns { id progress counts } } } }")
    assert recent["channels"]["nodes"][0]["recentRuns"][1]["id"] == done["id"]


async def test_a_scope_of_skus_is_checked(api: Client) -> None:
    """A run over SKUs the channel does not have is refused by name."""
    channel = await connected(api)
    ids = await upserted(api, channel, "MUG")
    where = {"channel": channel, "operation": "SYNC_LISTINGS"}

    errors = await api.refusal("runRequest", {**where, "skus": ["MUG", "NOPE"]})
    made = await api.do("runRequest", {**where, "listings": [ids["listing"]]}, "isNew")
    (bad,) = await api.refusal("runRequest", {**where, "listings": ["MUG"]})

    assert "NOPE" in errors[0]["message"]
    assert made["isNew"] is True
    assert bad["code"] == "BAD_ID"

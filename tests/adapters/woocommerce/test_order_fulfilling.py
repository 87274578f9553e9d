"""Telling a store of shipments in each of its three ways, and completing orders."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.woocommerce.order_notes import is_about, mark, note_text
from adapters.woocommerce.sandbox import SandboxOptions, create_sandbox
from adapters.woocommerce.settings import SyncOrdersSettings
from reconcile.contract import (
    ConfirmState,
    OrderWrite,
    Result,
    ShipmentLine,
    ShipmentWrite,
    UnauthorizedError,
    UnavailableError,
    UnexpectedResponseError,
)
from reconcile.core.actions import ActionKind, Outcome
from tests.adapters.shops import Told, WooShop, tell, tell_until_error

pytestmark = pytest.mark.anyio

MUG = {"name": "Salt & <b>Pepper</b>", "sku": "MUG", "regular_price": "5.00"}
WAYS = ("note", "shipment_tracking", "fulfillments")


class Counter:
    """A store with one order of three mugs."""

    def __init__(self, **options: Any) -> None:
        chosen = {"fulfillments": True, "shipment_tracking": True, **options}
        self.shop = WooShop(create_sandbox(SandboxOptions(products=[MUG], **chosen)))
        self.order: Any = self.shop.sandbox.shop({"do": "buy", "sku": "MUG", "quantity": 3})
        self.order_id = str(self.order["id"])

    def write(self, way: str = "note", shipment_id: str = "12", **changes: Any) -> OrderWrite:
        """A shipment of two mugs."""
        line = self.order["line_items"][0]
        shipment = ShipmentWrite(
            id=shipment_id,
            lines=(ShipmentLine(str(line["id"]), "MUG", "Salt & Pepper", 2),),
            shipped_at=datetime(2026, 11, 20, 23, 30, tzinfo=UTC),
            tracking_number="1Z9",
            carrier="u.p.s",
            tracking_url="https://carrier.example/?n=1&x=<2>",
        )
        return OrderWrite(
            key=f"k{shipment_id}",
            kind=ActionKind.FULFILL,
            order_id=self.order_id,
            number=self.order_id,
            shipment=replace(shipment, **changes),
            settings=SyncOrdersSettings(tracking=way),
        )

    def close(self) -> OrderWrite:
        """The completion of the order."""
        return OrderWrite("c", ActionKind.CLOSE, self.order_id, "17", settings=SyncOrdersSettings())

    async def run(self, *writes: OrderWrite) -> Told:
        """Execute to the end with a new adapter."""
        adapter = self.shop.adapter()
        call = adapter.close if writes[0].kind is ActionKind.CLOSE else adapter.fulfill
        keys: Any = list(writes)
        return await tell(keys, call(list(writes)))

    async def one(self, write: OrderWrite) -> Result:
        """The result of one write."""
        return (await self.run(write)).result

    @property
    def held(self) -> dict[str, Any]:
        """The order as the store holds it."""
        (found,) = [row for row in self.shop.holdings("orders") if row["id"] == int(self.order_id)]
        return found

    @property
    def notes(self) -> list[dict[str, Any]]:
        """Notes we wrote."""
        return [note for note in self.held["notes"] if note["by"] == "api"]


# --- notes --------------------------------------------------------------------------------------


async def test_note_names_shipment_lines_and_tracking() -> None:
    """A private note holds what left and how to follow it; the customer is not written to."""
    counter = Counter()
    counter.shop.forget()
    result = await counter.one(counter.write(service="Express"))
    assert counter.shop.requests == {
        "GET /orders/{id}": 1,
        "GET /orders/{id}/notes": 1,
        "POST /orders/{id}/notes": 1,
    }
    (note,) = counter.notes
    assert result.remote_ids == (f"note:{note['id']}",)
    assert note["customer"] is False
    for part in ("2 x MUG (Salt &amp; Pepper)", "2026-11-20", "u.p.s Express", "1Z9"):
        assert part in note["text"]
    assert "https://carrier.example/?n=1&amp;x=&lt;2&gt;" in note["text"]
    assert note["text"].endswith("[Tallyport shipment 12]")
    assert counter.held["status"] == "processing"


async def test_note_without_a_tracking_number() -> None:
    """What was shipped without a number is told of, too."""
    counter = Counter()
    bare = {"tracking_number": "", "carrier": "", "tracking_url": ""}
    assert (await counter.one(counter.write(**bare))).outcome is Outcome.APPLIED
    assert (await counter.one(counter.write(**bare))).outcome is Outcome.NO_OP
    (note,) = counter.notes
    assert "Tracking" not in note["text"]


async def test_note_answered_twice_is_one_shipment() -> None:
    """Where the store wrote the same note twice, the first stands for the shipment."""
    counter = Counter()
    text = note_text(counter.write().shipment)  # type: ignore[arg-type]
    for _ in range(2):
        counter.shop.sandbox.shop({"do": "note", "order": int(counter.order_id), "text": text})
    result = await counter.one(counter.write())
    twins = [row["id"] for row in counter.held["notes"] if "Tallyport" in row["text"]]
    assert len(twins) == 2
    assert (result.outcome, result.remote_ids) == (Outcome.NO_OP, (f"note:{min(twins)}",))


async def test_note_of_a_shipment_nobody_remembers() -> None:
    """The same units and number under a forgotten id are that shipment; a known sibling is not."""
    counter = Counter()
    assert (await counter.one(counter.write())).outcome is Outcome.APPLIED
    sibling = await counter.one(counter.write(shipment_id="90", siblings=frozenset({"12"})))
    assert sibling.outcome is Outcome.APPLIED
    known = frozenset({"12", "90"})
    other = await counter.one(counter.write(shipment_id="91", siblings=known, carrier="DHL"))
    assert other.outcome is Outcome.APPLIED
    day = datetime(2026, 11, 22, tzinfo=UTC)
    again = await counter.one(counter.write(shipment_id="1000012", shipped_at=day))
    assert again.outcome is Outcome.NO_OP
    assert len(counter.notes) == 3


async def test_worker_killed_between_note_and_record() -> None:
    """A note that stands although nobody recorded it is found by the next try."""
    counter = Counter()
    write = counter.write()
    progress = counter.shop.adapter().fulfill([write])
    async for item in progress:
        if isinstance(item, Result):
            break  # the note is written; its result is never recorded
    await progress.aclose()  # type: ignore[attr-defined]
    again = await counter.one(write)
    assert again.outcome is Outcome.NO_OP
    assert len(counter.notes) == 1


def shipment(shipment_id: str, number: str) -> ShipmentWrite:
    """A shipment of nothing in particular."""
    moment = datetime(2026, 11, 20, tzinfo=UTC)
    return ShipmentWrite(shipment_id, (), moment, tracking_number=number)


@pytest.mark.parametrize("number", ["1Z9", "A&B<C>", "", "  1Z 9 "])
def test_mark_survives_escaping(number: str) -> None:
    """A note is known again however often the store escapes it."""
    ours = shipment("12", number)
    text = note_text(ours)
    for shown in (text, text.replace("&", "&amp;"), text.replace("\n", "<br />\n")):
        assert is_about(shown, ours)


def test_mark_is_of_one_shipment_only() -> None:
    """Neither a longer id nor another number is taken for ours."""
    ours = shipment("1", "1Z9")
    assert mark(ours) == "[Tallyport shipment 1]"
    assert not is_about(note_text(shipment("12", "1Z9")), ours)
    assert not is_about(note_text(shipment("1", "other")), ours)
    assert not is_about("Call her about shipment 1", ours)


# --- the plugin ---------------------------------------------------------------------------------


async def test_known_carrier_goes_by_its_name_there() -> None:
    """A carrier the plugin knows is sent by the plugin's name; the list is asked for once."""
    counter = Counter()
    writes = [
        counter.write("shipment_tracking"),
        counter.write("shipment_tracking", "13", tracking_number="1Z8"),
    ]
    counter.shop.forget()
    await counter.run(*writes)
    assert (
        counter.shop.requests[
            "GET /wp-json/wc-shipment-tracking/v3/orders/{id}/shipment-trackings/providers"
        ]
        == 1
    )
    assert [row["provider"] for row in counter.held["trackings"]] == ["UPS", "UPS"]
    assert {row["date_shipped"] for row in counter.held["trackings"]} == {"2026-11-20"}


async def test_unknown_carrier_brings_its_link() -> None:
    """Any other carrier is a custom one with the link of the shipment."""
    counter = Counter()
    await counter.one(counter.write("shipment_tracking", carrier="Bike Boys"))
    (row,) = counter.held["trackings"]
    assert row["provider"] == "Bike Boys"
    assert row["link"] == "https://carrier.example/?n=1&x=<2>"
    counter = Counter()
    bare = counter.write("shipment_tracking", carrier="", tracking_url="")
    assert (await counter.one(bare)).outcome is Outcome.APPLIED


async def test_plugin_needs_a_number() -> None:
    """A shipment without one fails with what to do, before anything is sent."""
    counter = Counter()
    told = await counter.run(counter.write("shipment_tracking", tracking_number=" "))
    assert (told.result.outcome, told.result.code) == (Outcome.FAILED, "TrackingNumberMissing")
    assert "order notes" in told.result.message
    assert not told.sendings


async def test_merchants_own_tracking_is_not_doubled() -> None:
    """A number the merchant has entered already is taken for the shipment's."""
    counter = Counter()
    by_hand = {"by": "tracking", "tracking_number": "1Z9", "carrier": "UPS"}
    counter.shop.sandbox.shop({"do": "ship", "order": int(counter.order_id), **by_hand})
    result = await counter.one(counter.write("shipment_tracking"))
    assert result.outcome is Outcome.NO_OP
    assert len(counter.held["trackings"]) == 1
    seen: Any = (await counter.shop.adapter().read_orders([counter.order_id]))[counter.order_id]
    assert tuple(item.id for item in seen.fulfillments) == result.remote_ids


# --- fulfillments -------------------------------------------------------------------------------


@pytest.mark.parametrize("notifies", [True, False])
async def test_fulfillment_names_lines(notifies: bool) -> None:
    """A fulfillment says which units left, and tells the customer only if the shipment does."""
    counter = Counter()
    result = await counter.one(counter.write("fulfillments", notify_customer=notifies))
    (row,) = counter.held["fulfillments"]
    assert result.remote_ids == (f"fulfillment:{row['id']}",)
    assert row["items"] == {str(counter.order["line_items"][0]["id"]): 2}
    assert (row["tracking_number"], row["is_fulfilled"]) == ("1Z9", True)
    assert row["meta"]["_tallyport_shipment"] == "12"
    assert row["notified"] is notifies


async def test_refusal_fails_with_the_stores_reason() -> None:
    """What the store refuses comes back as a failure in its words, and the next write goes on."""
    counter = Counter()
    body = json.dumps({"code": "woocommerce_x", "message": "Too many", "data": {"status": 400}})
    counter.shop.fault("status", status=400, body=body, method="POST")
    writes = [counter.write("fulfillments"), counter.write("fulfillments", "13")]
    told = await counter.run(*writes)
    first, second = (told.results[write.key] for write in writes)
    assert (first.outcome, first.code, first.message) == (
        Outcome.FAILED,
        "woocommerce_x",
        "Too many",
    )
    assert second.outcome is Outcome.APPLIED


# --- what is not there, what has moved ----------------------------------------------------------


@pytest.mark.parametrize("way", WAYS[1:])
async def test_missing_way_fails_and_falls_back_to_nothing(way: str) -> None:
    """Where the chosen place does not exist, nothing is written anywhere else instead."""
    counter = Counter(fulfillments=False, shipment_tracking=False)
    told = await counter.run(counter.write(way))
    assert (told.result.outcome, told.result.code) == (Outcome.FAILED, "TrackingWayMissing")
    assert "SYNC_ORDERS" in told.result.message
    assert not told.sendings
    assert counter.notes == []


async def test_store_without_woocommerce_is_no_missing_way() -> None:
    """While WooCommerce is switched off nothing is concluded about the plugin."""
    counter = Counter()
    body = json.dumps({"code": "rest_no_route", "message": "No route", "data": {"status": 404}})
    counter.shop.fault("status", status=404, body=body, times=None)
    with pytest.raises(UnexpectedResponseError):
        await counter.run(counter.write("shipment_tracking"))


@pytest.mark.parametrize("way", WAYS)
async def test_trashed_order_is_told_nothing(way: str) -> None:
    """An order in the trash takes no shipment; the result says where it is."""
    counter = Counter()
    counter.shop.sandbox.shop({"do": "trash", "order": int(counter.order_id)})
    told = await counter.run(counter.write(way))
    assert (told.result.outcome, told.result.code) == (Outcome.STALE, "InTrash")
    assert told.result.gone is not None
    assert not told.sendings


@pytest.mark.parametrize(
    "change", [{"remove": ["MUG"]}, {"lines": [{"sku": "MUG", "quantity": 1}]}]
)
@pytest.mark.parametrize("way", WAYS)
async def test_edited_order_is_told_no_more_than_it_has(way: str, change: dict[str, Any]) -> None:
    """A shipment of more than the order has by now is not sent; the result shows the order."""
    counter = Counter()
    counter.shop.sandbox.shop({"do": "edit", "order": int(counter.order_id), **change})
    told = await counter.run(counter.write(way))
    assert (told.result.outcome, told.result.code) == (Outcome.STALE, "LinesChanged")
    assert "2 of MUG" in told.result.message
    assert len(told.result.observed_orders) == 1
    assert not told.sendings


async def test_order_that_is_not_understood_still_takes_a_note() -> None:
    """A row that makes no sense hides nothing of what was shipped."""
    counter = Counter()
    body = json.dumps({"id": int(counter.order_id), "status": "processing"})
    path = f"/orders/{counter.order_id}"
    counter.shop.fault("status", status=200, body=body, method="GET", path_contains=path)
    assert (await counter.one(counter.write())).outcome is Outcome.APPLIED


@pytest.mark.parametrize("way", WAYS)
async def test_read_only_key(way: str) -> None:
    """A key that may not write raises after its Sending, and changed nothing."""
    counter = Counter()
    told, error = await tell_until_error(
        counter.shop.adapter("read_only").fulfill([counter.write(way)])
    )
    assert isinstance(error, UnauthorizedError)
    assert len(told.sendings) == 1
    assert counter.notes == []


@pytest.mark.parametrize("way", WAYS)
async def test_answer_without_an_id_is_left_open(way: str) -> None:
    """A nonsensical answer to a write means that it may have happened; a look tells."""
    counter = Counter()
    write = counter.write(way)
    counter.shop.fault("status", status=200, body="{}", method="POST", after=True)
    _, error = await tell_until_error(counter.shop.adapter().fulfill([write]))
    assert isinstance(error, UnexpectedResponseError)
    assert error.effect == "POSSIBLE"
    found = (await counter.shop.adapter().confirm_orders([write]))[write.key]
    assert found.state is ConfirmState.DONE


async def test_confirm_of_a_deleted_order() -> None:
    """An order that is gone answers the question: the world moved."""
    counter = Counter()
    counter.shop.sandbox.shop({"do": "delete", "order": int(counter.order_id)})
    for write in (counter.write(), counter.close()):
        found = (await counter.shop.adapter().confirm_orders([write]))[write.key]
        assert found.state is ConfirmState.DONE
        assert found.result is not None
        assert (found.result.outcome, found.result.code) == (Outcome.STALE, "Deleted")


# --- completing ---------------------------------------------------------------------------------


async def test_completing_looks_first() -> None:
    """Completing is one look and one request; the answer is the order, refunds included."""
    counter = Counter()
    words = {"lines": [{"sku": "MUG", "quantity": 1}]}
    counter.shop.sandbox.shop({"do": "refund", "order": int(counter.order_id), **words})
    counter.shop.forget()
    result = await counter.one(counter.close())
    assert counter.shop.requests == {
        "GET /orders/{id}": 1,
        "POST /orders/{id}": 1,
        "GET /orders/{id}/refunds": 1,
    }
    (seen,) = result.observed_orders
    assert (seen.status, seen.lines[0].canceled) == ("completed", 1)
    assert counter.held["status"] == "completed"


async def test_completing_stands_although_refunds_cannot_be_read() -> None:
    """A failure after the write takes nothing back: the result is there, the order comes later."""
    counter = Counter()
    words = {"lines": [{"sku": "MUG", "quantity": 1}]}
    counter.shop.sandbox.shop({"do": "refund", "order": int(counter.order_id), **words})
    counter.shop.fault("reset", path_contains="/refunds")
    result = await counter.one(counter.close())
    assert (result.outcome, result.observed_orders) == (Outcome.APPLIED, ())


async def test_status_that_does_not_stick() -> None:
    """A plugin that sets another status is told of, not believed."""
    counter = Counter()
    row = {**counter.order, "status": "on-hold"}
    counter.shop.fault("status", status=200, body=json.dumps(row), method="POST")
    result = await counter.one(counter.close())
    assert (result.outcome, result.code) == (Outcome.FAILED, "NotAccepted")


async def test_log_keeps_no_person() -> None:
    """Completing is answered with the whole order; the log keeps none of its addresses."""
    counter = Counter()
    await counter.one(counter.close())
    await counter.one(counter.write())
    (close, note) = counter.shop.transport.records
    assert close.request == {"status": "completed"}
    shown = repr(close) + repr(note)
    assert "Ada" not in shown
    assert "example.com" not in shown
    assert "wc_order_" not in shown


@pytest.mark.parametrize("junk", ["", "<br />Notice: undefined in x.php "])
async def test_broken_answer_leaves_no_person_in_the_log(junk: str) -> None:
    """An order cut off amid its addresses goes neither into the log nor into the error."""
    counter = Counter()
    body = junk + json.dumps({**counter.order, "_links": None})[:-9]
    assert "Ada" in body[:1000]
    counter.shop.fault("status", status=200, body=body, method="POST")
    _, error = await tell_until_error(counter.shop.adapter().close([counter.close()]))
    assert isinstance(error, UnexpectedResponseError)
    shown = f"{error} {counter.shop.transport.records!r}"
    assert "Ada" not in shown
    assert "example.com" not in shown
    assert "broken JSON" in shown


async def test_plugin_without_a_list_of_carriers() -> None:
    """Where another plugin answers that has no such list, every carrier is a custom one."""
    counter = Counter()
    counter.shop.fault("status", status=404, body="{}", path_contains="/providers")
    assert (await counter.one(counter.write("shipment_tracking"))).outcome is Outcome.APPLIED
    assert [row["provider"] for row in counter.held["trackings"]] == ["u.p.s"]


async def test_time_out_of_a_close_is_told_by_a_look() -> None:
    """After a lost answer the status on the store decides."""
    counter = Counter()
    counter.shop.fault("timeout_after", method="POST")
    _, error = await tell_until_error(counter.shop.adapter().close([counter.close()]))
    assert isinstance(error, UnavailableError)
    found = (await counter.shop.adapter().confirm_orders([counter.close()]))["c"]
    assert found.state is ConfirmState.DONE
    assert found.result is not None
    assert found.result.observed_orders[0].status == "completed"

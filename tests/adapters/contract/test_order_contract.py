"""The order part of the suite: what every platform that declares GET_ORDERS promises."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.registry import PLATFORMS
from reconcile.contract import (
    ORDER_WRITES,
    Adapter,
    AdapterError,
    ConfirmState,
    Effect,
    Gone,
    OrderPage,
    OrderWindow,
    OrderWrite,
    Platform,
    Result,
    Sending,
    ShipmentLine,
    ShipmentWrite,
    UnauthorizedError,
    UnavailableError,
    UnexpectedResponseError,
    UnsupportedError,
)
from reconcile.core.actions import ActionKind, Outcome
from reconcile.core.order_types import OrderFilter, ShipmentField
from reconcile.core.remote_order_types import OrderStage, RemoteOrder
from reconcile.core.types import Operation
from tests.adapters.contract.order_stands import LONG_AGO, ORDER_STANDS, PLANTED, OrderStand
from tests.adapters.contract.test_contract import FAULTS
from tests.adapters.shops import Told, tell, tell_until_error

pytestmark = pytest.mark.anyio

WITH_ORDERS = {
    name: platform
    for name, platform in PLATFORMS.items()
    if Operation.GET_ORDERS in platform.operations
}
every_platform = pytest.mark.parametrize(
    "platform", WITH_ORDERS.values(), ids=list(WITH_ORDERS.keys())
)
EVER = OrderWindow(LONG_AGO)

every_write = pytest.mark.parametrize(
    ("platform", "kind", "way"),
    [
        pytest.param(platform, kind, way, id=f"{name}-{kind}-{way}")
        for name, platform in WITH_ORDERS.items()
        for kind in (ActionKind.FULFILL, ActionKind.CLOSE)
        if kind in platform.actions
        for way in ORDER_STANDS[name]().settings
        if kind is ActionKind.FULFILL or way == next(iter(ORDER_STANDS[name]().settings))
    ],
)


def stand_of(platform: Platform) -> OrderStand:
    """A store without orders."""
    return ORDER_STANDS[platform.name]()


async def polled(adapter: Adapter, window: OrderWindow = EVER) -> list[OrderPage]:
    """All pages of a window."""
    return [page async for page in adapter.orders(window, None)]


def rows_of(pages: list[OrderPage]) -> dict[str, RemoteOrder]:
    """Orders by id."""
    return {row.id: row for page in pages for row in page.rows}


async def write_for(
    stand: OrderStand, kind: ActionKind, way: str, order_id: str, shipment_id: str = "12"
) -> OrderWrite:
    """A shipment of two units of the order's first line, or the order's close."""
    seen = (await stand.adapter().read_orders([order_id]))[order_id]
    assert isinstance(seen, RemoteOrder)
    line = seen.lines[0]
    shipment = ShipmentWrite(
        id=shipment_id,
        lines=(ShipmentLine(line.id, line.sku or "", line.title, 2),),
        shipped_at=datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
        tracking_number=f"1Z{shipment_id}",
        carrier="UPS",
        tracking_url="https://carrier.example/?n=1&x=2",
    )
    return OrderWrite(
        key=f"{kind}:{order_id}:{shipment_id}",
        kind=kind,
        order_id=order_id,
        number=seen.number,
        shipment=shipment if kind is ActionKind.FULFILL else None,
        settings=stand.settings[way],
        aspects=seen.aspects,
    )


async def run(kind: ActionKind, adapter: Adapter, *writes: OrderWrite) -> Told:
    """Execute to the end; `tell` asks of writes only their keys."""
    writes_: Any = list(writes)
    return await tell(writes_, ORDER_WRITES[kind](adapter, list(writes)))


def test_every_platform_has_a_stand() -> None:
    """The suite covers every platform of the registry that has orders and a sandbox."""
    assert {name for name, item in WITH_ORDERS.items() if item.sandbox} == set(ORDER_STANDS)


# --- what is declared ---------------------------------------------------------------------------


@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=PLATFORMS.keys())
def test_declarations_agree_with_methods(platform: Platform) -> None:
    """Writes to orders are declared exactly if overridden, with a reason if not; so is reading."""
    adapter = platform.connect
    assert callable(adapter)
    assert (platform.orders is not None) == (Operation.GET_ORDERS in platform.operations)
    if platform.name not in ORDER_STANDS:
        return
    kind_of = type(stand_of(platform).adapter())
    for kind in ORDER_WRITES:
        is_overridden = getattr(kind_of, kind.lower()) is not getattr(Adapter, kind.lower())
        assert is_overridden == (kind in platform.actions), kind
        assert (kind in platform.actions) != (kind in platform.unsupported_actions), kind
    for name in ("orders", "read_orders", "find_order", "confirm_orders"):
        assert getattr(kind_of, name) is not getattr(Adapter, name), name


@every_platform
async def test_unsupported_methods_refuse(platform: Platform) -> None:
    """The base class answers every method of orders with UnsupportedError."""
    adapter = Adapter(platform)
    for call in ORDER_WRITES.values():
        with pytest.raises(UnsupportedError, match=platform.title):
            call(adapter, [])
    with pytest.raises(UnsupportedError):
        adapter.orders(EVER, None)
    with pytest.raises(UnsupportedError):
        await adapter.find_order("1")


@every_platform
def test_templates_fit_the_fields(platform: Platform) -> None:
    """Default templates name declared fields of orders and shipments, each target once."""
    assert platform.orders is not None
    ours = {item.theirs: item.ours for item in platform.orders.fields}
    rules = platform.templates[Operation.GET_ORDERS].rules
    assert {rule.source: rule.target for rule in rules} == {k: v.value for k, v in ours.items()}
    theirs = {item.ours.value: item.theirs for item in platform.orders.shipment_fields}
    sent = platform.templates[Operation.SYNC_ORDERS].rules
    assert {rule.source: rule.target for rule in sent} == theirs
    assert ShipmentField.TRACKING_NUMBER in theirs
    titles = [item.title for item in platform.orders.fields]
    assert all([*titles, *(item.title for item in platform.orders.shipment_fields)])


@every_platform
def test_default_settings_make_a_filter(platform: Platform) -> None:
    """Default settings accept some orders of declared facets, look back 14 days, close nothing."""
    assert platform.orders is not None
    get, sync = (platform.operations[op] for op in (Operation.GET_ORDERS, Operation.SYNC_ORDERS))
    found = platform.orders.filter(get())
    assert isinstance(found, OrderFilter)
    assert found.days == 14
    assert set(found.accepted) <= {facet.name for facet in platform.orders.facets}
    assert platform.orders.closes(sync()) == frozenset()
    assert platform.orders.shipping_text


# --- reading ------------------------------------------------------------------------------------


@every_platform
async def test_poll_is_complete(platform: Platform) -> None:
    """All orders come, the end is marked once, the total is true, no request more than pages."""
    stand = stand_of(platform)
    placed = stand.place(2 * stand.per_page + 30)
    stand.forget()
    pages = await polled(stand.adapter())
    assert sum(stand.requests().values()) == math.ceil(len(placed) / stand.per_page)
    assert sorted(rows_of(pages), key=int) == sorted(placed, key=int)
    assert {page.total for page in pages} <= {len(placed), None}
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert not [row for page in pages for row in page.rejected]


@every_platform
async def test_poll_goes_on_from_every_cursor(platform: Platform) -> None:
    """A new adapter that is given any page's cursor, as JSON, gives exactly the rest."""
    stand = stand_of(platform)
    stand.place(stand.per_page + 20)
    pages = await polled(stand.adapter())
    for at, page in enumerate(pages):
        cursor = json.loads(json.dumps(page.cursor))
        rest = (
            [] if page.is_last else [later async for later in stand.adapter().orders(EVER, cursor)]
        )
        assert [row for later in rest for row in later.rows] == [
            row for later in pages[at + 1 :] for row in later.rows
        ]


@every_platform
async def test_every_stage_is_read(platform: Platform) -> None:
    """Whatever an order has come to, it is read, with its facets and whom it goes to."""
    assert platform.orders is not None
    stand = stand_of(platform)
    placed = {stage: stand.place_in(stage) for stage in OrderStage}
    rows = rows_of(await polled(stand.adapter()))
    for stage, order_id in placed.items():
        if stage is OrderStage.DRAFT and order_id not in rows:
            continue
        assert rows[order_id].stage is stage
        assert set(rows[order_id].facets) <= {facet.name for facet in platform.orders.facets}
    row = rows[placed[OrderStage.OPEN]]
    assert row.lines[0].quantity == 3
    assert row.lines[0].ref is not None
    assert row.ship_to is not None
    assert row.shipping
    assert row.created_at.tzinfo is not None
    if stand.is_person_shown:
        assert (row.email, row.ship_to.city) == ("planted@example.com", "Plantedcity")


@every_platform
async def test_window_leaves_out_what_has_not_changed(platform: Platform) -> None:
    """Only what changed at or after the moment comes; a window without any is one empty page."""
    stand = stand_of(platform)
    (order_id,) = stand.place(1)
    (seen,) = rows_of(await polled(stand.adapter())).values()
    assert seen.modified_at is not None
    at = OrderWindow(seen.modified_at)
    assert list(rows_of(await polled(stand.adapter(), at))) == [order_id]
    later = OrderWindow(seen.modified_at + timedelta(hours=1))
    pages = await polled(stand.adapter(), later)
    assert rows_of(pages) == {}
    assert pages[-1].is_last


@every_platform
@pytest.mark.parametrize("effect", ["cut_page", "empty", "repeat_page"])
async def test_spoiled_pages_are_not_believed(platform: Platform, effect: str) -> None:
    """A page that lost rows, or comes twice, ends the poll with an error instead of a hole."""
    stand = stand_of(platform)
    stand.place(2 * stand.per_page + 50)
    stand.fault(effect, path_contains=stand.list_path, nth=2)
    with pytest.raises(UnexpectedResponseError):
        await polled(stand.adapter())


@every_platform
async def test_read_proves_absence(platform: Platform) -> None:
    """Deleted orders read as Gone, present ones as a poll shows them, in one call."""
    stand = stand_of(platform)
    placed = stand.place(3)
    rows = rows_of(await polled(stand.adapter()))
    stand.delete(placed[1])
    found = await stand.adapter().read_orders(placed)
    assert list(found) == placed
    assert isinstance(found[placed[1]], Gone)
    assert found[placed[0]] == rows[placed[0]]
    assert found[placed[2]] == rows[placed[2]]


@every_platform
async def test_orders_are_found_by_number(platform: Platform) -> None:
    """A number finds the order called so, and nothing where there is none."""
    stand = stand_of(platform)
    placed = stand.place(3)
    rows = rows_of(await polled(stand.adapter()))
    number = rows[placed[1]].number
    assert list(await stand.adapter().find_order(number)) == [rows[placed[1]]]
    for absent in ("no-such-number", "999999999", ""):
        assert list(await stand.adapter().find_order(absent)) == []


# --- errors -------------------------------------------------------------------------------------


@every_platform
@pytest.mark.parametrize("fault", FAULTS)
async def test_failed_reads_change_nothing(platform: Platform, fault: str) -> None:
    """A failing poll has the right class, and says that nothing happened."""
    order, expected = FAULTS[fault]
    stand = stand_of(platform)
    stand.place(1)
    stand.fault(**order, path_contains=stand.list_path, headers={"Retry-After": "7"})
    with pytest.raises(expected) as raised:
        await polled(stand.adapter())
    assert raised.value.effect is Effect.NONE


@every_platform
async def test_wrong_login_is_never_absence(platform: Platform) -> None:
    """Wrong credentials raise UnauthorizedError from every way of reading orders."""
    stand = stand_of(platform)
    (order_id,) = stand.place(1)
    adapter = stand.with_wrong_login()
    with pytest.raises(UnauthorizedError):
        await polled(adapter)
    with pytest.raises(UnauthorizedError):
        await adapter.read_orders([order_id])
    with pytest.raises(UnauthorizedError):
        await adapter.find_order(order_id)


@every_write
@pytest.mark.parametrize("fault", FAULTS)
async def test_failed_writes_say_what_may_have_happened(
    platform: Platform, kind: ActionKind, way: str, fault: str
) -> None:
    """A failing write raises after its Sending: NONE where it was refused, else POSSIBLE."""
    order, expected = FAULTS[fault]
    stand = stand_of(platform)
    write = await write_for(stand, kind, way, stand.place(1)[0])
    stand.fault(**order, method="POST", path_contains=stand.write_paths[kind, way])
    told, error = await tell_until_error(ORDER_WRITES[kind](stand.adapter(), [write]))
    assert isinstance(error, expected)
    assert isinstance(error, AdapterError)
    assert error.effect is (Effect.NONE if fault == "429" else Effect.POSSIBLE)
    assert [sending.keys for sending in told.sendings] == [(write.key,)]
    assert stand.transport.records[-1].error


# --- writing ------------------------------------------------------------------------------------


@every_write
async def test_twice_is_harmless(platform: Platform, kind: ActionKind, way: str) -> None:
    """Every declared write works; the same write once more sends nothing and says the same."""
    stand = stand_of(platform)
    (order_id,) = stand.place(1)
    write = await write_for(stand, kind, way, order_id)
    first = await run(kind, stand.adapter(), write)
    assert first.result.outcome is Outcome.APPLIED
    assert len(first.sendings) == 1
    before = stand.written(order_id)
    again = await run(kind, stand.adapter(), write)
    assert again.result.outcome is Outcome.NO_OP
    assert not again.sendings
    assert again.result.remote_ids == first.result.remote_ids
    assert stand.written(order_id) == before
    if kind is ActionKind.FULFILL:
        assert len(first.result.remote_ids) == 1
        assert sum(before.values()) == 1
    else:
        (seen,) = first.result.observed_orders
        assert seen.stage is OrderStage.COMPLETED


@every_write
async def test_every_request_is_announced(platform: Platform, kind: ActionKind, way: str) -> None:
    """No writing request leaves before a Sending names the action it is for."""
    stand = stand_of(platform)
    writes = [await write_for(stand, kind, way, order_id) for order_id in stand.place(3)]
    sent = 0
    async for progress in ORDER_WRITES[kind](stand.adapter(), writes):
        sent += isinstance(progress, Sending)
        assert len(stand.transport.records) <= sent
    assert len(stand.transport.records) == sent == 3


@every_write
async def test_deleted_order_is_stale(platform: Platform, kind: ActionKind, way: str) -> None:
    """A write to an order that was deleted says so, and touches no other."""
    stand = stand_of(platform)
    gone, here = stand.place(2)
    writes = [await write_for(stand, kind, way, order_id) for order_id in (gone, here)]
    stand.delete(gone)
    told = await run(kind, stand.adapter(), *writes)
    result = told.results[writes[0].key]
    assert result.outcome is Outcome.STALE
    assert result.gone is not None
    assert told.results[writes[1].key].outcome is Outcome.APPLIED


@every_write
async def test_canceled_order_is_left_alone(platform: Platform, kind: ActionKind, way: str) -> None:
    """Nothing is sent to an order that was canceled meanwhile; the result shows it."""
    stand = stand_of(platform)
    write = await write_for(stand, kind, way, stand.place_in(OrderStage.CANCELED))
    told = await run(kind, stand.adapter(), write)
    assert told.result.outcome is Outcome.STALE
    assert not told.sendings
    (seen,) = told.result.observed_orders
    assert seen.stage is OrderStage.CANCELED


@every_write
@pytest.mark.parametrize("effect", ["timeout_before", "timeout_after"])
async def test_confirm_tells_what_happened(
    platform: Platform, kind: ActionKind, way: str, effect: str
) -> None:
    """After a time-out `confirm_orders` says DONE if the effect is there, NOT_DONE if not."""
    stand = stand_of(platform)
    (order_id,) = stand.place(1)
    write = await write_for(stand, kind, way, order_id)
    stand.fault(effect, method="POST", path_contains=stand.write_paths[kind, way])
    told, error = await tell_until_error(ORDER_WRITES[kind](stand.adapter(), [write]))
    assert isinstance(error, UnavailableError)
    assert error.effect is Effect.POSSIBLE
    write = replace(write, steps=told.steps)
    found = (await stand.adapter().confirm_orders([write]))[write.key]
    expected = ConfirmState.NOT_DONE if effect == "timeout_before" else ConfirmState.DONE
    assert found.state is expected, found.evidence
    assert found.evidence
    assert (found.result is not None) == (expected is ConfirmState.DONE)
    if found.result is not None and kind is ActionKind.FULFILL:
        assert found.result.remote_ids
    again = await run(kind, stand.adapter(), write)
    assert again.result.outcome in (Outcome.APPLIED, Outcome.NO_OP)
    if kind is ActionKind.FULFILL:
        assert sum(stand.written(order_id).values()) == 1


@every_write
async def test_confirm_cannot_tell_without_an_answer(
    platform: Platform, kind: ActionKind, way: str
) -> None:
    """A store that cannot be read leaves the outcome open."""
    stand = stand_of(platform)
    write = await write_for(stand, kind, way, stand.place(1)[0])
    stand.fault("html", times=None)
    found = (await stand.adapter().confirm_orders([write]))[write.key]
    assert found.state is ConfirmState.CANNOT_TELL
    assert found.result is None


@every_write
async def test_late_work_is_not_doubled(platform: Platform, kind: ActionKind, way: str) -> None:
    """A request that goes on after its client gave up, followed by a retry, has one effect."""
    stand = stand_of(platform)
    (order_id,) = stand.place(1)
    write = await write_for(stand, kind, way, order_id)
    path = stand.write_paths[kind, way]
    stand.fault("late", method="POST", path_contains=path, seconds=0.05)
    _, error = await tell_until_error(ORDER_WRITES[kind](stand.adapter(), [write]))
    assert isinstance(error, UnavailableError)
    await stand.settle()
    told = await run(kind, stand.adapter(), write)
    assert told.result.outcome is Outcome.NO_OP
    if kind is ActionKind.FULFILL:
        assert sum(stand.written(order_id).values()) == 1


@every_platform
@pytest.mark.parametrize("place", range(3))
async def test_two_shipments_are_two(platform: Platform, place: int) -> None:
    """Parts of an order are told of one by one; neither is taken for the other."""
    ways = list(stand_of(platform).settings)
    kind, way = ActionKind.FULFILL, ways[place % len(ways)]
    stand = stand_of(platform)
    (order_id,) = stand.place(1)
    whole = await write_for(stand, kind, way, order_id, "1")
    rest = await write_for(stand, kind, way, order_id, "12")
    assert rest.shipment is not None
    line = replace(rest.shipment.lines[0], quantity=1)
    rest = replace(rest, shipment=replace(rest.shipment, lines=(line,)))
    told = await run(kind, stand.adapter(), whole, rest)
    ids: set[str] = set()
    for result in told.results.values():
        assert isinstance(result, Result)
        assert result.outcome is Outcome.APPLIED
        ids |= set(result.remote_ids)
    assert len(ids) == 2
    assert sum(stand.written(order_id).values()) == 2


@every_write
async def test_personal_data_stays_out_of_log_and_results(
    platform: Platform, kind: ActionKind, way: str
) -> None:
    """Neither what is recorded, nor an error, nor a repr holds whom an order is for."""
    stand = stand_of(platform)
    write = await write_for(stand, kind, way, stand.place(1)[0])
    told = await run(kind, stand.adapter(), write)
    pages = await polled(stand.adapter())
    body = json.dumps({"code": "x", "message": "no", "data": {"billing": {"city": "Plantedcity"}}})
    write = await write_for(stand, kind, way, stand.place(1)[0], "13")
    path = stand.write_paths[kind, way]
    stand.fault("status", status=500, body=body, method="POST", path_contains=path)
    _, error = await tell_until_error(ORDER_WRITES[kind](stand.adapter(), [write]))
    assert error is not None
    shown = f"{told!r} {pages!r} {error} {error!r} {stand.transport.records!r}"
    assert stand.transport.records
    assert [word for word in PLANTED if word in shown] == []

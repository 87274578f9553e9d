"""The checks after a scenario: our rows against what was wished and against the store's books."""

from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

import orjson

from tests.chaos.ground import Eyes, Row
from tests.chaos.ledger import Bought, Ledger, Page, Wish
from tests.chaos.shop import Shop
from tests.features.stores import Held


class Sort(StrEnum):
    """What went wrong, in the words of the report."""

    LOST = "lost"
    DOUBLED = "doubled"
    BROKEN = "wrongly broken"
    STUCK = "stuck"
    WRONG = "wrong"
    MISCOUNTED = "miscounted"


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is not as promised."""

    sort: Sort
    text: str


_FINAL = ("APPLIED", "NO_OP", "SKIPPED", "STALE", "FAILED", "CANCELED")
_WAITING = ("PLANNED", "REFUSED")

OPEN_RUNS = """
SELECT id, operation, is_full, state, phase ->> 'step' AS step, next_at, tries, error_code,
    error_message
FROM runs WHERE finished_at IS NULL ORDER BY id"""
OPEN_ACTIONS = """
SELECT a.id, a.run_id, a.kind, a.object_id, a.state, a.tries, a.due_at, a.outcome_code,
    a.outcome_message FROM actions a JOIN runs r ON r.id = a.run_id
WHERE a.state IN ('DUE', 'SENDING', 'RETRYING', 'UNKNOWN') ORDER BY a.id"""
LEASES = "SELECT * FROM leases WHERE expires_at > clock_timestamp()"
_VARIANTS = """
SELECT n.name AS channel, v.sku, v.link_state, v.link_reason, v.presence, v.stale, v.wanted,
    c.reason, c.message
FROM listing_variants v JOIN channels n ON n.id = v.channel_id
LEFT JOIN LATERAL (SELECT string_agg(reason, ', ') AS reason, string_agg(message, ' | ') AS message
    FROM conditions WHERE object_kind = 'variant' AND object_id = v.id) c ON true"""
_ACTIONS = """
SELECT a.*, r.operation FROM actions a JOIN runs r ON r.id = a.run_id ORDER BY a.id"""
_RUNS = "SELECT * FROM runs ORDER BY id"
_ORDERS = """
SELECT n.name AS channel, r.number, r.remote_id, r.verdict, r.reason, r.message, r.gone,
    o.id AS order_id, o.status, o.hold_code
FROM remote_orders r JOIN channels n ON n.id = r.channel_id
LEFT JOIN orders o ON o.remote_order_id = r.id"""
_SHIPMENTS = """
SELECT s.id, s.tracking_number, s.state, s.origin, o.number FROM shipments s
JOIN orders o ON o.id = s.order_id JOIN channels n ON n.id = s.channel_id"""


class Verdict:
    """Compares one scenario's end with what was promised."""

    def __init__(self, ledger: Ledger, shops: Sequence[Shop], eyes: Eyes) -> None:
        self._ledger = ledger
        self._shops = shops
        self._eyes = eyes

    def partly(self) -> list[Violation]:
        """What has to be so without any full run: everything the merchants did not touch."""
        return [
            violation
            for shop in self._shops
            for violation in self._listings(shop, "without a full run", shop.page.touched)
        ]

    def all(self) -> list[Violation]:
        """Everything."""
        return [
            violation
            for shop in self._shops
            for part in (
                self._listings(shop, "at the end"),
                self._creations(shop),
                self._links(shop.page),
                self._orders(shop),
                self._shipments(shop),
            )
            for violation in part
        ] + [*self._ends(), *self._counts()]

    def unsettled(self, last: int) -> list[Violation]:
        """What is still done, behind this action, when everything agrees."""
        return [
            Violation(Sort.WRONG, f"done although everything agreed: {_brief(row)}")
            for row in self._eyes.rows(_ACTIONS)
            if row["id"] > last
        ]

    # --- listings

    def _listings(
        self, shop: Shop, when: str, excused: AbstractSet[str] = frozenset()
    ) -> Iterator[Violation]:
        held = shop.store.held()
        for wish in shop.page.wishes.values():
            if wish.is_listed_here and wish.sku not in excused:
                for sort, text in self._standing(shop.page, wish, held.get(wish.sku)):
                    said = self._said(shop.page, wish)
                    yield Violation(sort, f"{shop.page.name} {when}: {wish.sku} {text} {said}")

    def _standing(self, page: Page, wish: Wish, found: Held | None) -> Iterator[tuple[Sort, str]]:
        if wish.is_deleted_there or wish.presence == "DELISTED":
            if found is not None:
                why = "was deleted there" if wish.is_deleted_there else "was to be delisted"
                yield Sort.WRONG, f"{why} and is on the store"
            return
        if found is None:
            yield Sort.LOST, "is not on the store"
            return
        if wish.presence == "HIDDEN":
            if found.is_buyable:
                yield Sort.LOST, "is wanted hidden and can be bought"
            return
        if found.price != Decimal(wish.price):
            yield Sort.WRONG, f"costs {found.price} instead of {wish.price}"
        wanted = self._ledger.quantity(page, wish.sku)
        if wanted is not None and found.quantity != wanted:
            yield Sort.WRONG, f"has {found.quantity} instead of {wanted}"

    def _said(self, page: Page, wish: Wish) -> str:
        where = " WHERE v.sku = $1 AND n.name = $2"
        rows = self._eyes.rows(_VARIANTS + where, wish.sku, page.name)
        return f"({dict(rows[0])})" if rows else "(we have no such variant)"

    def _creations(self, shop: Shop) -> Iterator[Violation]:
        made = Counter(str(row["sku"]) for row in shop.store.effects() if row["effect"] == "create")
        for sku, wish in shop.page.wishes.items():
            most = 0 if wish.was_there else 1
            if made[sku] > most:
                text = f"{shop.page.name}: {sku} was created {made[sku]} times instead of {most}"
                yield Violation(Sort.DOUBLED, text)

    def _links(self, page: Page) -> Iterator[Violation]:
        for row in self._eyes.rows(_VARIANTS + " WHERE n.name = $1", page.name):
            wish = page.wishes[row["sku"]]
            gone = wish.is_deleted_there or wish.presence == "DELISTED"
            match row["link_state"]:
                case "BROKEN" if not wish.is_deleted_there:
                    yield Violation(Sort.BROKEN, f"is broken: {dict(row)}")
                case "AMBIGUOUS":
                    yield Violation(Sort.BROKEN, f"is ambiguous: {dict(row)}")
                case "UNLINKED" if not gone:
                    yield Violation(Sort.LOST, f"is not linked: {dict(row)}")
                case "LINKED" if gone:
                    yield Violation(Sort.LOST, f"is gone and still linked: {dict(row)}")
                case _:
                    pass

    # --- orders

    def _orders(self, shop: Shop) -> Iterator[Violation]:
        name = shop.page.name
        found: dict[str, list[Row]] = {}
        for row in self._eyes.rows(_ORDERS + " WHERE n.name = $1", name):
            found.setdefault(row["number"], []).append(row)
        books = shop.store.orders.all()
        for order in shop.page.orders:
            number = order.placed.number
            ours = found.pop(number, [])
            if len(ours) > 1:
                text = f"{name}: order {number} is here {len(ours)} times"
                yield Violation(Sort.DOUBLED, text)
            if not ours:
                yield Violation(Sort.LOST, f"{name}: order {number} was never seen")
                continue
            for sort, text in self._fate(shop, order, ours[0], str(books[number].get("status"))):
                yield Violation(sort, f"{name}: order {number} {text}: {dict(ours[0])}")
        for number in found:
            yield Violation(Sort.WRONG, f"{name}: order {number} is not on the store")

    def _fate(self, shop: Shop, order: Bought, row: Row, status: str) -> Iterator[tuple[Sort, str]]:
        if order.is_canceled:
            if row["order_id"] is not None and row["status"] != "CANCELED":
                yield Sort.LOST, "was canceled there and is not canceled here"
            return
        if row["order_id"] is None:
            # A line of a deleted product has no SKU on the store any more.
            if not any(shop.page.wishes[sku].is_deleted_there for sku in order.units):
                yield Sort.LOST, "was not imported"
        elif row["status"] == "CANCELED" or row["hold_code"] is not None:
            yield Sort.WRONG, "is not open"
        completed = shop.habits.completed
        if completed is not None and (status == completed) != order.is_shipped:
            yield Sort.LOST if order.is_shipped else Sort.WRONG, f"is {status} on the store"

    def _shipments(self, shop: Shop) -> Iterator[Violation]:
        name = shop.page.name
        rows = {
            row["tracking_number"]: dict(row)
            for row in self._eyes.rows(_SHIPMENTS + " WHERE n.name = $1", name)
        }
        for order in shop.page.orders:
            told = [each.text for each in shop.store.orders.told(order.placed)]
            for sent in order.sent:
                times = sum(sent.tracking in text for text in told)
                what = f"shipment {sent.tracking} of order {order.placed.number}"
                if times > 1:
                    yield Violation(Sort.DOUBLED, f"{what} was told {times} times: {told}")
                if times == 0:
                    row = rows.get(sent.tracking, "not even here")
                    yield Violation(Sort.LOST, f"{what} was never told: {row}")
            if len(told) > len(order.sent):
                text = f"{name}: order {order.placed.number}: {len(order.sent)} sent, told {told}"
                yield Violation(Sort.DOUBLED, text)
        for tracking, row in rows.items():
            if row["origin"] != "OURS":
                yield Violation(Sort.DOUBLED, f"{name}: a shipment of the store's own: {row}")
            elif row["state"] != "PUSHED":
                yield Violation(Sort.STUCK, f"{name}: shipment {tracking} is {row['state']}")

    # --- runs

    def _ends(self) -> Iterator[Violation]:
        for row in self._eyes.rows(_ACTIONS):
            if row["state"] in _FINAL:
                if not row["reason"] or (row["state"] == "FAILED" and not row["outcome_message"]):
                    yield Violation(Sort.STUCK, f"action without a reason: {_brief(row)}")
                if row["finished_at"] is None:
                    yield Violation(Sort.STUCK, f"ended and not finished: {_brief(row)}")
                if row["outcome_code"] == "InternalError":
                    yield Violation(Sort.STUCK, f"an internal error: {_brief(row)}")
            elif row["state"] in _WAITING:
                yield Violation(Sort.STUCK, f"nobody was to approve anything: {_brief(row)}")
            else:
                yield Violation(Sort.STUCK, f"never ended: {_brief(row)}")

    def _counts(self) -> Iterator[Violation]:
        happened: dict[int, dict[str, Counter[str]]] = {}
        actions = self._eyes.rows(_ACTIONS)
        for row in actions:
            kinds = happened.setdefault(row["run_id"], {})
            number = max(1, len(row["variant_ids"]))
            kinds.setdefault(row["kind"], Counter())[row["state"]] += number
        runs = self._eyes.rows(_RUNS)
        for run in runs:
            if run["error_code"] == "InternalError":
                yield Violation(Sort.STUCK, f"run {run['id']} had an internal error")
            said = _parsed(run["counts"]).get("actions", {})
            is_told = {kind: dict(states) for kind, states in happened.get(run["id"], {}).items()}
            if run["result"] in {"SUCCEEDED", "PARTIAL"} and said != is_told:
                text = f"run {run['id']} {run['operation']} says {said}, happened {is_told}"
                yield Violation(Sort.MISCOUNTED, text)
        yield from self._against_books(actions, runs)

    def _against_books(self, actions: Sequence[Row], runs: Sequence[Row]) -> Iterator[Violation]:
        """What all runs together claim, and what the stores hold of it."""
        done = [row for row in actions if row["state"] in {"APPLIED", "NO_OP"}]
        told = sum(
            len(shop.store.orders.told(order.placed))
            for shop in self._shops
            for order in shop.page.orders
        )
        pushed = sum(row["kind"] == "FULFILL" for row in done)
        if told != pushed:
            yield Violation(Sort.MISCOUNTED, f"{pushed} shipments pushed, the stores have {told}")
        counted = sum(_parsed(run["counts"]).get("orders_imported", 0) for run in runs)
        imported = self._eyes.value("SELECT count(*) FROM orders")
        if counted != imported:
            text = f"the runs count {counted} orders imported, {imported} are here"
            yield Violation(Sort.MISCOUNTED, text)


def _parsed(value: object) -> dict[str, Any]:
    found = orjson.loads(value) if isinstance(value, str) else value
    assert isinstance(found, dict)
    return found


def _brief(row: Row) -> str:
    names = ("id", "run_id", "operation", "kind", "object_id", "state", "reason", "outcome_code")
    return " ".join(f"{name}={row[name]}" for name in (*names, "outcome_message"))

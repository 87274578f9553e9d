"""Reads orders of a store: the resumable walk through a window, orders by id and by number.

The list is paged by offset over live data. Orders that are placed or changed meanwhile only push
others back, so that some come twice; one that is trashed pulls the rest forward, over the edge of a
page that was read already. The stated total shows it, and the walk goes back. So that nothing which
enters meanwhile makes up for what left, a walk of several pages ends at the moment it began: what
changes later is the next poll's. Must not write.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from adapters.woocommerce import order_mapping
from adapters.woocommerce import order_wire as wire
from adapters.woocommerce.client import PER_PAGE, ascending
from adapters.woocommerce.order_client import OrderClient, OrderRows
from adapters.woocommerce.walk import number
from adapters.woocommerce.wire import ShapeError
from reconcile.contract import (
    Gone,
    GoneError,
    OrderPage,
    OrderReadResult,
    OrderWindow,
    RejectedOrder,
    UnexpectedResponseError,
)
from reconcile.core.remote_order_types import RemoteOrder
from reconcile.core.types import Value

IN_TRASH = Gone("InTrash", "The order is in the store's trash")
DELETED = Gone("Deleted", "The order was deleted on the store")

_REFUNDED_AT_ONCE = 5
"""Orders whose refunds are read for one page; each costs a request, and a slice is short."""
_MAX_TURNS = 20
_MOST_BEHIND = timedelta(days=1)
_CLOCKS_AGREE = timedelta(minutes=5)
"""Well within the overlap of polls; a date further off is a cache's, or one of the clocks is."""
_OLD_STORE_DAYS = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class _Cursor:
    """Where a walk goes on: orders whose refunds are still to be read, then a page."""

    page: int = 1
    last_id: int = 0
    """Highest id of the page before; 0 after the walk went back."""
    total: int | None = None
    turns: int = 0
    """How often it went back since it last came further than before."""
    furthest: int = 0
    """Highest id of all pages."""
    behind: int = 0
    """By how many seconds the store's clock is behind ours, where that matters."""
    until: str = ""
    """Orders changed from then on (the store's time) belong to the next poll; empty: to this."""
    pending: tuple[int, ...] = ()
    is_end: bool = False

    @staticmethod
    def parse(value: Mapping[str, Value] | None) -> "_Cursor":
        if not value:
            return _Cursor()
        page, last, pending = value.get("page"), value.get("last_id"), value.get("pending")
        total, turns = value.get("total"), value.get("turns")
        furthest, behind, until = value.get("furthest"), value.get("behind"), value.get("until")
        if not isinstance(page, int) or not isinstance(last, int) or not isinstance(pending, list):
            raise UnexpectedResponseError("the stored position of the walk cannot be read")
        return _Cursor(
            page,
            last,
            total if isinstance(total, int) else None,
            turns if isinstance(turns, int) else 0,
            furthest if isinstance(furthest, int) else 0,
            behind if isinstance(behind, int) else 0,
            until if isinstance(until, str) else "",
            tuple(item for item in pending if isinstance(item, int)),
            value.get("is_end") is True,
        )

    def as_json(self) -> dict[str, Value]:
        return {
            "page": self.page,
            "last_id": self.last_id,
            "total": self.total,
            "turns": self.turns,
            "furthest": self.furthest,
            "behind": self.behind,
            "until": self.until,
            "pending": list(self.pending),
            "is_end": self.is_end,
        }

    @property
    def is_done(self) -> bool:
        return self.is_end and not self.pending


class OrderReader:
    """Reads orders of one store into mirror values."""

    def __init__(self, client: OrderClient, *, has_modified_after: bool) -> None:
        self._client = client
        self._has_modified_after = has_modified_after

    async def walk(
        self, window: OrderWindow, cursor: Mapping[str, Value] | None
    ) -> AsyncIterator[OrderPage]:
        """The orders of a window in id order; those with refunds after the page they are on."""
        at = _Cursor.parse(cursor)
        waiting: dict[int, wire.Order] = {}
        observed_at = self._client.now()
        while not at.is_done:
            if at.pending:
                rejected: tuple[RejectedOrder, ...] = ()
                if at.pending[0] not in waiting:  # a new walk that was given a cursor
                    observed_at = self._client.now()
                    waiting, rejected = await self._waiting(at.pending)
                group = at.pending[:_REFUNDED_AT_ONCE]
                at = replace(at, pending=at.pending[_REFUNDED_AT_ONCE:])
                orders = [waiting.pop(order_id) for order_id in group if order_id in waiting]
                whole = [await self._whole(order) for order in orders]
                rows = [row for row in whole if isinstance(row, RemoteOrder)]
                rejected += tuple(row for row in whole if isinstance(row, RejectedOrder))
                yield _page(rows, rejected, at, observed_at)
                continue
            bound = {"modified_before": at.until} if at.until else {}
            asked = self._asked(window, at.behind)
            page = await self._checked(at, {**asked, **bound, "page": str(at.page)})
            if not (at.total or at.behind) and (late := _behind(page)):
                # What changed just now bears a date before the window, and no later one shows it.
                at = replace(at, behind=late)
                continue
            observed_at = page.sent_at
            waiting = {order.id: order for order in page.rows if order_mapping.needs_refunds(order)}
            ready = [order for order in page.rows if order.id not in waiting]
            if at.page == 1 and not at.until and self._has_modified_after:
                at = replace(at, until=_until(page))
            at = replace(_after(at, page), pending=tuple(waiting))
            rows = [order_mapping.remote_order(order) for order in ready]
            yield _page(rows, page.rejected, at, observed_at)

    def _asked(self, window: OrderWindow, behind: int) -> dict[str, str]:
        # The bound is exclusive and counts seconds; without the flag it would be the site's time.
        since = window.modified_since.replace(microsecond=0) - timedelta(seconds=1 + behind)
        asked = {"modified_after": _gmt(since), "dates_are_gmt": "true"}
        if not self._has_modified_after:
            # Versions before 5.8 leave the parameter out of account without a word and would give
            # all orders there ever were. A change to one older than this is seen by its id only.
            asked["after"] = _gmt(since - _OLD_STORE_DAYS)
        return asked

    async def _checked(self, at: _Cursor, asked: Mapping[str, str]) -> OrderRows:
        """A page that holds what its own count promises, in the order asked for."""
        page = await self._client.orders(asked)
        missing = _missing(at, page)
        if missing > 0:
            # Stores count orders they then do not show, or show as nothing. Those are missing each
            # time; what a proxy or a broken connection cut off is not.
            again = await self._client.orders(asked)
            is_steady = again.ids == page.ids and missing <= max(2, page.total // 100)
            if not is_steady:
                message = f"Page {at.page} of the orders lacks {missing} of its rows"
                raise UnexpectedResponseError(message, code="CutPage")
        last = ascending(page.ids, 0)
        # Some rows come twice when others were pushed back; a full page of them is an old answer.
        if missing < 0 or (len(page.ids) == PER_PAGE and last <= at.last_id):
            message = f"Page {at.page} of the orders repeats rows that came before"
            raise UnexpectedResponseError(message, code="OutOfOrder")
        return page

    async def _by_ids(
        self, ids: Sequence[int]
    ) -> tuple[dict[int, wire.Order], tuple[RejectedOrder, ...]]:
        """Those of the orders that a list shows; it leaves out trashed ones."""
        found: dict[int, wire.Order] = {}
        rejected: list[RejectedOrder] = []
        for start in range(0, len(ids), PER_PAGE):
            asked = set(ids[start : start + PER_PAGE])
            page = await self._client.orders({"include": ",".join(map(str, sorted(asked)))})
            found |= {order.id: order for order in page.rows if order.id in asked}
            rejected += [row for row in page.rejected if int(row.id) in asked]
        return found, tuple(rejected)

    async def _waiting(
        self, ids: Sequence[int]
    ) -> tuple[dict[int, wire.Order], tuple[RejectedOrder, ...]]:
        """Those of the orders that are there; what the list does not show is asked for singly."""
        found, rejected = await self._by_ids(ids)
        unread = set(ids) - found.keys() - {int(row.id) for row in rejected}
        for order_id in sorted(unread):
            with suppress(GoneError):
                order = await self._client.order(order_id)
                if isinstance(order, RejectedOrder):
                    rejected += (order,)
                elif order.status != "trash":
                    found[order_id] = order
        return found, rejected

    async def _whole(self, order: wire.Order) -> RemoteOrder | RejectedOrder | None:
        """The order with what was refunded of its lines; None if it was deleted meanwhile."""
        if not order_mapping.needs_refunds(order):
            return order_mapping.remote_order(order)
        try:
            refunds = await self._client.refunds(order.id)
        except GoneError:
            return None
        except ShapeError as error:
            # One order's junk does not stop the poll of all others.
            message = f"The order's refunds cannot be understood: {error}"
            return RejectedOrder(str(order.id), order.number, message)
        return order_mapping.remote_order(order, refunds)

    async def whole(self, order: wire.Order) -> OrderReadResult:
        """The order with what was refunded of its lines."""
        return await self._whole(order) or DELETED

    async def read(self, ids: Sequence[str]) -> dict[str, OrderReadResult]:
        """Each order by id; what no list shows is asked for singly before it counts as gone."""
        numbers = sorted({number(order_id) for order_id in ids})
        listed, rejected = await self._by_ids(numbers)
        results: dict[str, OrderReadResult] = {row.id: row for row in rejected}
        for order_id in numbers:
            if str(order_id) in results:
                continue
            order = listed.get(order_id)
            if order is not None:
                results[str(order_id)] = await self.whole(order)
            else:
                results[str(order_id)] = await self.one(order_id)
        return {order_id: results[str(number(order_id))] for order_id in ids}

    async def one(self, order_id: int) -> OrderReadResult:
        """One order by id, proven gone if it is."""
        try:
            order = await self._client.order(order_id)
        except GoneError:
            return DELETED
        if isinstance(order, RejectedOrder):
            return order
        return IN_TRASH if order.status == "trash" else await self.whole(order)

    async def find(self, wanted: str) -> tuple[RemoteOrder | RejectedOrder, ...]:
        """Orders with exactly this number: by id, which it mostly is, then by the store's search.

        One that lies in the trash is found by its id only.
        """
        name = wanted.strip().removeprefix("#").strip()
        if not name:
            return ()
        found: list[wire.Order | RejectedOrder] = []
        if name.isascii() and name.isdigit() and len(name) < 19:
            with suppress(GoneError):
                found.append(await self._client.order(int(name)))
        if not any(_is_called(order, name) for order in found):
            page = await self._client.orders({"search": name, "order": "desc"})
            found = [*page.rows, *page.rejected]
        rows: list[RemoteOrder | RejectedOrder] = []
        for order in found:
            if not _is_called(order, name):
                continue
            row = order if isinstance(order, RejectedOrder) else await self._whole(order)
            if row is not None:
                rows.append(row)
        return tuple(rows)


def _gmt(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _is_called(order: wire.Order | RejectedOrder, name: str) -> bool:
    return order.number.strip().removeprefix("#").strip().casefold() == name.casefold()


def _missing(at: _Cursor, page: OrderRows) -> int:
    """How many rows fewer a page holds than its count promises; negative: more."""
    if not page.total and at.page > 1:
        return -len(page.ids)  # past the end, where orders are counted as none
    return min(PER_PAGE, max(0, page.total - (at.page - 1) * PER_PAGE)) - len(page.ids)


def _after(at: _Cursor, page: OrderRows) -> _Cursor:
    """Where the walk goes on after a page: mostly forward, back where the list became shorter."""
    is_past_end = not page.total and at.page > 1
    shrunk = (at.total or 0) - page.total
    last = page.ids[-1] if page.ids else at.last_id
    if last > at.furthest:
        at = replace(at, furthest=last, turns=0)
    if at.page > 1 and (is_past_end or shrunk > 0):
        if at.turns >= _MAX_TURNS:
            message = "Orders vanish from the list faster than it can be read"
            raise UnexpectedResponseError(message, code="RestlessList")
        if is_past_end:
            # Only the next page tells how much shorter the list is: it is compared with the old.
            return replace(at, page=at.page - 1, last_id=0, turns=at.turns + 1)
        back = max(1, at.page - -(-shrunk // PER_PAGE))
        return replace(at, page=back, last_id=0, total=page.total, turns=at.turns + 1)
    is_end = at.page >= page.pages
    return replace(at, page=at.page + 1, last_id=last, total=page.total, is_end=is_end)


def _behind(page: OrderRows) -> int:
    """Seconds the store's clock is behind ours, as far as the overlap of polls may not cover it."""
    if page.stated_at is None:
        return 0
    late = min(page.sent_at - page.stated_at, _MOST_BEHIND)
    return int(late.total_seconds()) + 1 if late > _CLOCKS_AGREE else 0


def _until(page: OrderRows) -> str:
    """Where a walk of several pages ends: at the store's time of the first, that second included.

    Orders that are placed or changed later would make up in the total for those that vanish.
    """
    said = page.stated_at
    if page.pages <= 1 or said is None or abs(said - page.sent_at) > _CLOCKS_AGREE:
        return ""
    return _gmt(said + timedelta(seconds=1))


def _page(
    rows: Sequence[RemoteOrder],
    rejected: tuple[RejectedOrder, ...],
    at: _Cursor,
    observed_at: datetime,
) -> OrderPage:
    return OrderPage(
        rows=tuple(rows),
        cursor=at.as_json(),
        is_last=at.is_done,
        total=at.total,
        observed_at=observed_at,
        rejected=rejected,
    )

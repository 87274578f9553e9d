"""The routes of orders, their notes and refunds, and the counts per status."""

from adapters.sandbox import Json
from adapters.woocommerce.sandbox import batch, order_views, schemas
from adapters.woocommerce.sandbox.catalog import ID, V3, batches, collection, single
from adapters.woocommerce.sandbox.errors import ApiError
from adapters.woocommerce.sandbox.items import Note
from adapters.woocommerce.sandbox.ordering import Order, Refund
from adapters.woocommerce.sandbox.orders import Orders
from adapters.woocommerce.sandbox.paging import STABLE, Page, cut
from adapters.woocommerce.sandbox.paging import Order as Ranking
from adapters.woocommerce.sandbox.refunds import Refunds
from adapters.woocommerce.sandbox.routing import Answer, Call, Endpoint, Route
from adapters.woocommerce.sandbox.store import Store
from adapters.woocommerce.sandbox.views import API


def _sort_value(order: Order, by: str) -> float | int | str:
    match by:
        case "modified":
            return order.modified.timestamp()
        case "date":
            return order.created.timestamp()
        case _:
            return order.id


def order_routes(store: Store) -> list[Route]:
    """Return the routes of orders."""
    rows = Orders(store)
    ranking: Ranking[Order] = Ranking(
        _sort_value,
        lambda order: order.id,
        STABLE | {"date"},
        store.options.order_seed,
        empty_past_end=True,
    )

    def lists(call: Call) -> Answer:
        page: Page[Order] = cut(rows.all(call.params), call.params, ranking)
        # The real store writes its defaults into the request, and from there into the links.
        call.query.setdefault("status", call.params["status"])
        if page.rows:
            call.query.setdefault("dp", 2)
            call.query.setdefault("context", "view")
        shown: list[Json] = [order_views.order(store, row, call.base) for row in page.rows]
        return Answer(shown, headers=page.headers(call))

    def create(call: Call) -> Answer:
        row = rows.create(call.params, call.base)
        return Answer(row, 201, {"Location": f"{call.base}{API}/orders/{row['id']}"})

    def totals(_call: Call) -> Answer:
        held = [order.status for order in store.orders.values()]
        counted: list[Json] = [
            {"slug": status, "name": name, "total": held.count(status)}
            for status, name in store.statuses.items()
        ]
        return Answer(counted)

    def statuses(_call: Call) -> Answer:
        return Answer([{"slug": slug, "name": name} for slug, name in store.statuses.items()])

    added = tuple(store.options.order_statuses)
    list_args = schemas.with_statuses(schemas.ORDER_LIST, added)
    order_args = schemas.with_statuses(schemas.ORDER, added)
    return [
        collection(
            f"{V3}/orders",
            Endpoint(("GET",), lists, list_args, defaults=True),
            create,
            order_args,
        ),
        batches(f"{V3}/orders/batch", lambda call: Answer(batch.run(rows, call.params, call.base))),
        single(
            f"{V3}/orders/{ID}",
            lambda call: Answer(rows.get(call.ids["id"], call.base)),
            lambda call: Answer(rows.update(call.ids["id"], call.params, call.base)),
            lambda call: Answer(rows.delete(call.ids["id"], call.base, force=call.force)),
            order_args,
        ),
        Route(f"{V3}/orders/statuses", Endpoint(("GET",), statuses)),
        Route(f"{V3}/reports/orders/totals", Endpoint(("GET",), totals)),
        *_note_routes(store, rows),
        *_refund_routes(store, rows),
    ]


def _note_routes(store: Store, rows: Orders) -> list[Route]:
    path = rf"{V3}/orders/(?P<order_id>[\d]+)/notes"

    def found(call: Call) -> Note:
        for note in rows.noted(call.ids["order_id"]).notes:
            if note.id == call.ids["id"]:
                return note
        raise ApiError("woocommerce_rest_invalid_id", "Invalid resource ID.", 404)

    def lists(call: Call) -> Answer:
        kind = call.params.get("type", "any")
        shown: list[Json] = [
            order_views.note(store, call.ids["order_id"], note, call.base)
            for note in rows.noted(call.ids["order_id"]).notes
            if kind == "any" or note.for_customer == (kind == "customer")
        ]
        return Answer(shown)

    def create(call: Call) -> Answer:
        note = rows.post_note(call.ids["order_id"], call.params)
        row = order_views.note(store, call.ids["order_id"], note, call.base)
        return Answer(row, 201, {"Location": f"{call.base}/wp-json{call.path}/{row['id']}"})

    def get(call: Call) -> Answer:
        return Answer(order_views.note(store, call.ids["order_id"], found(call), call.base))

    def delete(call: Call) -> Answer:
        if not call.force:
            words = "Webhooks do not support trashing."  # so the real store says, of notes too
            raise ApiError("woocommerce_rest_trash_not_supported", words, 501)
        note = found(call)
        row = order_views.note(store, call.ids["order_id"], note, call.base)
        rows.noted(call.ids["order_id"]).notes.remove(note)
        about: dict[str, Json] = {"id": note.id, "order_id": call.ids["order_id"]}
        store.books.effect("delete", "note", store.by, **about)
        return Answer(row)

    return [
        collection(path, Endpoint(("GET",), lists, schemas.NOTE_LIST), create, schemas.NOTE),
        Route(
            f"{path}/{ID}",
            Endpoint(("GET",), get, {}, "read"),
            Endpoint(("DELETE",), delete, schemas.DELETE, "delete"),
        ),
    ]


def _refund_routes(store: Store, rows: Orders) -> list[Route]:
    path = rf"{V3}/orders/(?P<order_id>[\d]+)/refunds"
    refunds = Refunds(store)
    ranking: Ranking[Refund] = Ranking(
        lambda refund, _by: refund.id, lambda refund: refund.id, STABLE | {"date"}
    )

    def lists(call: Call) -> Answer:
        order = rows.noted(call.ids["order_id"])
        page: Page[Refund] = cut(order.refunds, call.params, ranking)
        shown: list[Json] = [
            order_views.refund(store, order.id, refund, call.base) for refund in page.rows
        ]
        return Answer(shown, headers=page.headers(call))

    def create(call: Call) -> Answer:
        refund = refunds.post(call.ids["order_id"], call.params)
        row = order_views.refund(store, call.ids["order_id"], refund, call.base)
        # The real store forgets to fill in the pattern, too.
        return Answer(row, 201, {"Location": f"{call.base}/wp-json{path}/{row['id']}"})

    def get(call: Call) -> Answer:
        refund = refunds.found(call.ids["order_id"], call.ids["id"])
        return Answer(order_views.refund(store, call.ids["order_id"], refund, call.base))

    return [
        collection(
            path,
            Endpoint(("GET",), lists, schemas.REFUND_LIST, defaults=True),
            create,
            schemas.REFUND,
        ),
        Route(f"{path}/{ID}", Endpoint(("GET",), get, schemas.VIEW, "read")),
    ]

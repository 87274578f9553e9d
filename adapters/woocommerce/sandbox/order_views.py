"""How orders, their notes and their refunds look in an answer."""

import html
from dataclasses import replace
from decimal import Decimal

from adapters.sandbox import Json
from adapters.woocommerce.sandbox import media
from adapters.woocommerce.sandbox.items import Note
from adapters.woocommerce.sandbox.ordering import (
    ADDRESS,
    Fee,
    Line,
    Order,
    Refund,
    Shipping,
    written,
)
from adapters.woocommerce.sandbox.site import CURRENCIES
from adapters.woocommerce.sandbox.store import Store
from adapters.woocommerce.sandbox.views import API, Row, links

NO_TAX = "0.00"


def needs_processing(store: Store, order: Order) -> bool:
    """Say whether anything of an order has to be shipped."""
    for line in order.lines:
        item = store.items.get(line.variation_id or line.product_id)
        if item is not None and not (
            item.extras.get("virtual") and item.extras.get("downloadable")
        ):
            return True
    return False


def order(store: Store, shown: Order, base: str) -> Row:
    """Show an order."""
    write, gmt = store.time.local, store.time.gmt
    shipping = sum((part.total for part in shown.shipping_lines), Decimal(0))
    discount = sum((line.subtotal - line.total for line in shown.lines), Decimal(0))
    symbol = html.unescape(CURRENCIES.get(shown.currency, ("", shown.currency))[1])
    payable = shown.status in ("pending", "failed", "checkout-draft") and shown.total > 0
    pay = f"{base}/checkout/order-pay/{shown.id}/?pay_for_order=true&key={shown.key}"
    return {
        "id": shown.id,
        "parent_id": 0,
        "status": shown.status,
        "currency": shown.currency,
        "version": store.options.version,
        "prices_include_tax": False,
        "date_created": write(shown.created),
        "date_modified": write(shown.modified),
        "discount_total": written(discount),
        "discount_tax": NO_TAX,
        "shipping_total": written(shipping),
        "shipping_tax": NO_TAX,
        "cart_tax": NO_TAX,
        "total": written(shown.total),
        "total_tax": NO_TAX,
        "customer_id": shown.customer_id,
        "order_key": shown.key,
        "billing": _address(shown.billing, "email", "phone"),
        "shipping": _address(shown.shipping, "phone"),
        "payment_method": shown.texts.get("payment_method", ""),
        "payment_method_title": shown.texts.get("payment_method_title", ""),
        "transaction_id": shown.texts.get("transaction_id", ""),
        "customer_ip_address": "",
        "customer_user_agent": "",
        "created_via": shown.texts.get("created_via", "rest-api"),
        "customer_note": shown.texts.get("customer_note", ""),
        "date_completed": write(shown.completed),
        "date_paid": write(shown.paid),
        "cart_hash": "",
        "number": shown.shown_number,
        "meta_data": [{"id": m.id, "key": m.key, "value": m.value} for m in shown.meta],
        "line_items": [_line(store, line, base) for line in shown.lines],
        "tax_lines": [],
        "shipping_lines": [_shipping(part) for part in shown.shipping_lines],
        "fee_lines": [_fee(part) for part in shown.fees],
        "coupon_lines": [],
        "refunds": [
            {"id": r.id, "reason": r.reason, "total": written(-r.amount)} for r in shown.refunds
        ],
        "payment_url": pay,
        "is_editable": shown.status in ("pending", "on-hold", "auto-draft"),
        "needs_payment": payable,
        "needs_processing": needs_processing(store, shown),
        "date_created_gmt": gmt(shown.created),
        "date_modified_gmt": gmt(shown.modified),
        "date_completed_gmt": gmt(shown.completed),
        "date_paid_gmt": gmt(shown.paid),
        "currency_symbol": symbol,
        "_links": links(f"{base}{API}/orders/{shown.id}", f"{base}{API}/orders"),
    }


def _address(kept: dict[str, str], *more: str) -> Json:
    return {name: kept.get(name, "") for name in (*ADDRESS, *more)}


def _line(store: Store, line: Line, base: str) -> Row:
    item = store.items.get(line.variation_id or line.product_id)
    parent = store.items.get(line.product_id) if line.variation_id else None
    each = line.total / line.quantity if line.quantity else Decimal(0)
    price: Json = int(each) if each == int(each) else float(each)
    ids = item.image_ids if item is not None else []
    picture = media.shown(store, ids[0], base) if ids else None
    no_picture: Json = {"id": "" if item is not None and parent is None else 0, "src": ""}
    return {
        "id": line.id,
        "name": line.name,
        "product_id": line.product_id,
        "variation_id": line.variation_id,
        "quantity": line.quantity,
        "tax_class": line.tax_class,
        "subtotal": written(line.subtotal),
        "subtotal_tax": NO_TAX,
        "total": written(line.total),
        "total_tax": NO_TAX,
        "taxes": [],
        "meta_data": _line_meta(line),
        "sku": (item.sku or (parent.sku if parent is not None else "")) if item else None,
        "global_unique_id": item.global_unique_id if item is not None else None,
        "price": price,
        "image": {"id": picture["id"], "src": picture["src"]} if picture else no_picture,
        "parent_name": parent.name if parent is not None else None,
    }


def _line_meta(line: Line) -> list[Json]:
    rows: list[Json] = [
        {"id": number, "key": key, "value": word, "display_key": label, "display_value": word}
        for number, key, label, word in line.chosen
    ]
    for meta in line.meta:
        row: Row = {"id": meta.id, "key": meta.key, "value": meta.value}
        rows.append({**row, "display_key": meta.key, "display_value": meta.value})
    if line.reduced is not None:
        taken, key = str(line.reduced), "_reduced_stock"
        row = {"id": line.reduced_id, "key": key, "value": taken}
        rows.append({**row, "display_key": key, "display_value": taken})
    return rows


def _shipping(part: Shipping) -> Json:
    return {
        "id": part.id,
        "method_title": part.method_title,
        "method_id": part.method_id,
        "instance_id": part.instance_id,
        "total": written(part.total),
        "total_tax": NO_TAX,
        "taxes": [],
        "tax_status": "taxable",
        "meta_data": [],
    }


def _fee(part: Fee) -> Json:
    return {
        "id": part.id,
        "name": part.name,
        "tax_class": "",
        "tax_status": "taxable",
        "amount": written(part.total),
        "total": written(part.total),
        "total_tax": NO_TAX,
        "taxes": [],
        "meta_data": [],
    }


def _below(order_id: int, kind: str, row_id: int, base: str) -> Row:
    above = f"{base}{API}/orders/{order_id}"
    return links(f"{above}/{kind}/{row_id}", f"{above}/{kind}", above, ["GET", "DELETE"])


def note(store: Store, order_id: int, shown: Note, base: str) -> Row:
    """Show a note."""
    return {
        "id": shown.id,
        "author": shown.author,
        "date_created": store.time.local(shown.created),
        "date_created_gmt": store.time.gmt(shown.created),
        "note": shown.text,
        "customer_note": shown.for_customer,
        "_links": _below(order_id, "notes", shown.id, base),
    }


def refund(store: Store, order_id: int, shown: Refund, base: str) -> Row:
    """Show a refund."""
    lines: list[Json] = []
    for part in shown.lines:
        units = replace(part.line, id=part.id, quantity=part.quantity, meta=[], reduced=None)
        units.total = units.subtotal = part.total
        row = _line(store, units, base)
        line_id = str(part.line.id)
        origin: Row = {"id": part.meta_id, "key": "_refunded_item_id", "value": line_id}
        told: Json = [{**origin, "display_key": "_refunded_item_id", "display_value": line_id}]
        minus: Row = {"quantity": -part.quantity, "subtotal": written(-part.total)}
        lines.append({**row, **minus, "total": written(-part.total), "meta_data": told})
    kind: Json = {"id": 1, "key": "_refund_type", "value": "partial" if shown.partial else "full"}
    return {
        "id": shown.id,
        "date_created": store.time.local(shown.created),
        "date_created_gmt": store.time.gmt(shown.created),
        "amount": written(shown.amount),
        "reason": shown.reason,
        "refunded_by": 1,
        "refunded_payment": False,
        "meta_data": [kind],
        "line_items": lines,
        "shipping_lines": [],
        "tax_lines": [],
        "fee_lines": [],
        "_links": _below(order_id, "refunds", shown.id, base),
    }

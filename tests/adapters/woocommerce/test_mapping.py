"""Wire values to mirror values, canonical forms, and rows to send."""

from typing import Any

import pytest

from adapters.woocommerce import mapping, wire
from adapters.woocommerce.bodies import Known, measures_body, merged_attributes
from adapters.woocommerce.canonical import canonical, key
from adapters.woocommerce.selling import hide_body, sync_body, unhide_body
from reconcile.contract import VariantWrite, Write
from reconcile.core.actions import ActionKind
from reconcile.core.types import RemoteListing, RemoteRef, SeenPresence

VIEW = mapping.StoreView("EUR", "kg", "cm", {5: ("Clothing",), 6: ("Clothing", "Shirts")})


def product(**fields: Any) -> RemoteListing:
    """The mirror's product from a row of the wire."""
    row = {"id": 7, "name": "Mug", "status": "publish", "type": "simple", **fields}
    return mapping.listing(wire.product(row), (), VIEW)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("regular_price", "12.50", "12.5"),
        ("regular_price", "100", "100"),
        ("regular_price", "0.00", "0"),
        ("regular_price", 12, "12"),
        ("regular_price", ".5", "0.5"),
        ("regular_price", "", None),
        ("regular_price", {"amount": "9.90", "currency": "EUR"}, "9.9"),
        ("sale_price", "20.123456", "20.123456"),
        ("stock_quantity", "4", 4),
        ("stock_quantity", -3, -3),
        ("name", " Salt &amp; Pepper &lt; 5 ", "Salt & Pepper < 5"),
        ("name", "&amp;amp;", "&"),
        ("description", "<p>a</p>\r\n", "<p>a</p>"),
        ("categories", ["Clothing", "T-Shirts &amp; co"], [["Clothing", "T-Shirts & co"]]),
        ("categories", "B, A > C", [["A", "C"], ["B"]]),
        ("categories", [], []),
        ("images", "https://a.example/1.png", ["https://a.example/1.png"]),
        (
            "image",
            ["https://a.example/1.png", "https://a.example/2.png"],
            "https://a.example/1.png",
        ),
        ("global_unique_id", "978-3-16-148410-x", "978-3-16-148410-X"),
        ("weight", {"value": "1.50", "unit": "LBS"}, {"value": "1.5", "unit": "lb"}),
        ("dimensions", {"length": "1.0", "unit": "cm"}, {"length": "1", "unit": "cm"}),
        ("attributes", {"Material": " Stone "}, {"Material": "Stone"}),
    ],
)
def test_canonical(field: str, value: Any, expected: Any) -> None:
    """Values come out in the one form that is stored and compared."""
    assert canonical(field, value) == expected


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("regular_price", "-5", "negative"),
        ("regular_price", "13,5", "comma"),
        ("regular_price", "1e3", "not a price"),
        ("regular_price", "abc", "not a price"),
        ("regular_price", True, "number"),
        ("stock_quantity", "2.7", "whole number"),
        ("stock_quantity", "four", "whole number"),
        ("global_unique_id", "ABC123", "digits"),
        ("images", "mug.png", "address"),
        ("weight", {"value": "1", "unit": "stone"}, "unit"),
        ("attributes", {"Size": "A|B"}, "splits"),
        ("nothing", "1", "no field"),
    ],
)
def test_canonical_refuses(field: str, value: Any, reason: str) -> None:
    """What WooCommerce would silently bend is refused with the reason."""
    with pytest.raises(ValueError, match=reason):
        canonical(field, value)


def test_keys() -> None:
    """SKUs are exact but for blanks no store keeps; UPCs are compared by their digits."""
    assert key("sku", " Mug-1 ") == "Mug-1"
    assert key("sku", "a&amp;b") == "a&b"
    assert key("sku", "A \t B") == "A B"
    assert key("sku", "  ") is None
    assert key("upc", "0123 4567-8905") == "012345678905"


@pytest.mark.parametrize(
    ("fields", "presence", "unsellable"),
    [
        ({}, SeenPresence.LISTED, False),
        ({"stock_status": "outofstock"}, SeenPresence.LISTED, True),
        ({"status": "draft"}, SeenPresence.HIDDEN, False),
        ({"status": "private"}, SeenPresence.HIDDEN, False),
        ({"status": "pending"}, SeenPresence.HIDDEN, False),
        ({"catalog_visibility": "hidden"}, SeenPresence.HIDDEN, False),
        ({"catalog_visibility": "search"}, SeenPresence.LISTED, False),
        (
            {"manage_stock": True, "stock_quantity": 0, "backorders": "no"},
            SeenPresence.LISTED,
            True,
        ),
        (
            {"manage_stock": True, "stock_quantity": -2, "backorders": "notify"},
            SeenPresence.LISTED,
            False,
        ),
        (
            {"manage_stock": True, "stock_quantity": 3, "stock_status": "outofstock"},
            SeenPresence.LISTED,
            False,
        ),
    ],
)
def test_presence(fields: dict[str, Any], presence: SeenPresence, *, unsellable: bool) -> None:
    """Draft, pending, private and invisible are hidden; out of stock alone is listed (R11)."""
    listing = product(**fields)
    assert listing.presence is presence
    assert listing.variants[0].presence is presence
    assert listing.variants[0].unsellable == unsellable


def test_seen_values() -> None:
    """Prices are normalized, empty ones None; a quantity counts only where stock is managed."""
    managed = product(regular_price="12.50", sale_price="", manage_stock=True, stock_quantity=7)
    assert managed.variants[0].seen == {
        "regular_price": "12.5",
        "sale_price": None,
        "stock_quantity": 7,
    }
    assert product(manage_stock=False).variants[0].seen["stock_quantity"] is None
    assert product(regular_price="-5").variants[0].seen["regular_price"] == "-5"
    assert product(manage_stock=True, stock_quantity=2.5).variants[0].seen["stock_quantity"] == 2
    assert product(type="grouped").variants[0].seen == {}
    assert "stock_quantity" not in product(type="external").variants[0].seen


def test_linking_identifiers() -> None:
    """UPC is the attribute of that name, else the GTIN field; it says which was compared (W2)."""
    attribute = {"id": 0, "name": "upc", "options": ["0123"], "variation": False}
    with_both = product(sku=" S ", attributes=[attribute], global_unique_id="4006381333931")
    (variant,) = with_both.variants
    assert variant.identifiers == {"sku": "S", "upc": "0123"}
    assert variant.aspects["upc_source"] == "attribute"
    (variant,) = product(global_unique_id="4006381333931").variants
    assert variant.identifiers == {"upc": "4006381333931"}
    assert variant.aspects["upc_source"] == "global_unique_id"


def test_variations() -> None:
    """Variations have their own rows; an inherited SKU is none, shared stock is no quantity."""
    row: Any = {"id": 7, "name": "Tee", "status": "publish", "type": "variable", "sku": "TEE"}
    first: Any = {"id": 8, "status": "publish", "sku": "TEE", "manage_stock": "parent",
             "stock_quantity": 9, "attributes": [{"name": "Size", "option": "S"}]}  # fmt: skip
    second: Any = {"id": 9, "status": "private", "sku": "TEE-M", "global_unique_id": "123"}
    found = mapping.listing(
        wire.product(row), [wire.variation(first), wire.variation(second)], VIEW
    )
    one, two = found.variants
    assert one.ref == RemoteRef("7", "8")
    assert (one.sku, one.seen["stock_quantity"]) == (None, None)
    assert one.options == (("Size", "S"),)
    assert one.import_fields["title"] == "Tee - S"
    assert (two.sku, two.presence) == ("TEE-M", SeenPresence.HIDDEN)
    assert two.identifiers == {"sku": "TEE-M", "upc": "123"}


def test_categories_need_their_paths() -> None:
    """Categories become paths; an unknown one leaves the field out, none at all is empty."""
    shirts = {"id": 6, "name": "Shirts", "slug": "shirts"}
    assert product(categories=[shirts]).content["categories"] == [["Clothing", "Shirts"]]
    assert product(categories=[shirts]).import_fields["categories"] == ["Clothing", "Shirts"]
    assert "categories" not in product(categories=[{"id": 99, "slug": "new"}]).content
    default = {"id": 15, "name": "Uncategorized", "slug": "uncategorized"}
    assert product(categories=[default]).content["categories"] == []


def test_import_fields() -> None:
    """Importing brings what W8 names; what the store left empty is not stated."""
    listing = product(
        sku="S",
        name="Salt &amp; co",
        description="",
        regular_price="9.90",
        manage_stock=True,
        stock_quantity=-1,
        images=[{"id": 3, "src": "https://shop.example/a.png"}],
    )
    assert listing.import_fields == {
        "title": "Salt & co",
        "sku": "S",
        "images": ["https://shop.example/a.png"],
    }
    assert listing.variants[0].import_fields == {
        "title": "Salt & co",
        "sku": "S",
        "images": ["https://shop.example/a.png"],
        "list_price": {"amount": "9.9", "currency": "EUR"},
        "quantity": 0,
    }


@pytest.mark.parametrize(
    "row",
    [[], {"id": "7", "status": "publish"}, {"id": 7}, {"id": 7, "status": "publish", "sku": []}],
)
def test_strange_rows_are_refused(row: Any) -> None:
    """A row without what is needed raises ShapeError and nothing else."""
    with pytest.raises(wire.ShapeError):
        wire.product(row)


def test_gmt_dates_are_utc() -> None:
    """Only `*_gmt` dates are read, as UTC."""
    found = product(date_modified="2026-11-21T20:53:28", date_modified_gmt="2026-11-21T19:53:28")
    assert found.modified_at is not None
    assert found.modified_at.isoformat() == "2026-11-21T19:53:28+00:00"
    assert product(date_modified_gmt="junk").modified_at is None


def test_sync_rows() -> None:
    """Only what is to change is sent; managing stock is switched on where it is off."""
    managed = {"manage_stock": True}
    assert sync_body({"regular_price": "12.5"}, managed) == {"regular_price": "12.5"}
    assert sync_body({"stock_quantity": 0}, managed) == {"stock_quantity": 0}
    for other in ({"manage_stock": False}, {"manage_stock": "parent"}, {}):
        assert sync_body({"stock_quantity": 4}, other) == {
            "stock_quantity": 4,
            "manage_stock": True,
        }
    assert sync_body({"regular_price": None, "stock_quantity": None}, {}) == {}


def test_hide_rows() -> None:
    """Managed stock goes to zero without backorders, unmanaged to outofstock (R11)."""
    none = {"manage_stock": True, "stock_quantity": 0, "backorders": "no"}
    assert hide_body({"manage_stock": True}) == none
    assert hide_body({"manage_stock": "parent"}) == none
    assert hide_body({"manage_stock": False}) == {"stock_status": "outofstock"}


def unhide(kept: Any, sync: Any = None, ref: RemoteRef | None = None, **aspects: Any) -> Any:
    """The row that unhides."""
    variant = VariantWrite("v", "S", ref or RemoteRef("7"), sync=sync or {}, kept=kept)
    return unhide_body(
        Write("k", ActionKind.UNHIDE, "l", "7", (variant,), aspects=aspects), variant
    )


def test_unhide_rows() -> None:
    """What hiding overwrote comes back; a newer quantity wins; hidden products are shown."""
    kept = {"manage_stock": True, "stock_quantity": 5, "backorders": "yes"}
    assert unhide(kept) == {"manage_stock": True, "stock_quantity": 5, "backorders": "yes"}
    assert unhide(kept, {"stock_quantity": 2, "regular_price": "3"}) == {
        "manage_stock": True,
        "stock_quantity": 2,
        "regular_price": "3",
        "backorders": "yes",
    }
    for was in (False, "parent"):
        assert unhide({"manage_stock": was, "stock_status": "onbackorder"}) == {
            "manage_stock": False,
            "stock_status": "onbackorder",
        }
    assert unhide(None, status="draft") == {"status": "publish"}
    assert unhide(None, ref=RemoteRef("7", "8"), status="draft") == {}


def test_measures_are_converted_exactly() -> None:
    """Weights and sides are sent in the store's unit, unchanged where it is ours."""
    known = Known("kg", "in", has_brands=True)
    content: Any = {
        "weight": {"value": "16", "unit": "oz"},
        "dimensions": {"length": "2.54", "width": "1", "unit": "cm"},
    }
    assert measures_body(content, known) == {
        "weight": "0.453592",
        "dimensions": {"length": "1", "width": "0.393701", "height": ""},
    }
    same: Any = {"weight": {"value": "0.3000001", "unit": "kg"}}
    assert measures_body(same, known) == {"weight": "0.3000001"}


def test_attributes_are_merged() -> None:
    """Others stay, ours are replaced or added, an option of the same name is left alone."""
    existing = wire.product(
        {
            "id": 7,
            "status": "publish",
            "attributes": [
                {"id": 0, "name": "Size", "position": 0, "variation": True, "options": ["S", "M"]},
                {"id": 4, "name": "mpn", "position": 1, "variation": False, "options": ["old"]},
                {"id": 0, "name": "Care", "position": 2, "variation": False, "options": ["a", "b"]},
            ],
        }
    ).attributes
    rows: Any = merged_attributes(existing, {"MPN": "new", "UPC": "1", "Size": "XL"})
    assert [(row["name"], row["options"]) for row in rows] == [
        ("Size", ["S", "M"]),
        ("mpn", ["new"]),
        ("Care", ["a", "b"]),
        ("UPC", ["1"]),
    ]
    assert rows[1]["id"] == 4

"""The product-CSV layouts of platforms, on made-up rows and on the real files where present."""

from pathlib import Path

import pytest

from adapters.catalogs import LAYOUTS
from reconcile.catalog import CatalogItem, CatalogNote, read_catalog
from reconcile.contract import CatalogError, CatalogRow

DATA = Path(__file__).parents[3] / "shared" / "data"

SHOPIFY = (
    "Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,Option1 Value,Variant SKU,"
    "Variant Grams,Variant Inventory Qty,Variant Price,Variant Compare At Price,Variant Barcode,"
    "Image Src,Image Position,Variant Image,Status\n"
)
WOOCOMMERCE = (
    "ID,Type,SKU,Name,Published,Visibility in catalog,Description,Stock,Weight (lbs),Length (in),"
    "Width (in),Height (in),Sale price,Regular price,Categories,Images,Parent,Date sale price ends,"
    "Attribute 1 name,Attribute 1 value(s)\n"
)


def read(text: str | bytes, currency: str = "EUR") -> list[CatalogItem]:
    """Everything that reading the text as a file yields."""
    data = text if isinstance(text, bytes) else text.encode()
    return list(read_catalog([data], name="file.csv", layouts=LAYOUTS, currency=currency))


def rows(items: list[CatalogItem]) -> list[CatalogRow]:
    """The listings among the items."""
    return [item for item in items if isinstance(item, CatalogRow)]


def codes(items: list[CatalogItem]) -> list[tuple[int, str]]:
    """Line and code of every error."""
    return [(item.line, item.code) for item in items if isinstance(item, CatalogError)]


def notes(items: list[CatalogItem]) -> list[tuple[int, str]]:
    """Line and code of every note."""
    return [(item.line, item.code) for item in items if isinstance(item, CatalogNote)]


def test_layouts_have_names() -> None:
    """The layouts can be asked for by name."""
    assert [layout.name for layout in LAYOUTS] == ["woocommerce", "shopify"]


def test_shopify_product_with_options() -> None:
    """Lines of a handle are one listing; images come in their order, tags as a custom field."""
    (row,) = rows(
        read(
            SHOPIFY
            + 'tee,Tee,<p>Soft</p>,Faden,Shirts,"a, b",TRUE,Size,S,T-S,180,5,19.90,25,'
            "012345678905,https://i.example/2.jpg,2,https://i.example/s.jpg,active\n"
            "tee,,,,,,,,M,T-M,0,-2,19.90,,,,,,\n"
            "tee,,,,,,,,,,,,,,,https://i.example/1.jpg,1,,\n"
        )
    )  # fmt: skip
    assert row.fields == {
        "sku": "tee",
        "title": "Tee",
        "description": "<p>Soft</p>",
        "brand": "Faden",
        "categories": ["Shirts"],
        "custom_fields": {"tags": "a, b"},
        "options": ["Size"],
        "images": ["https://i.example/1.jpg", "https://i.example/2.jpg"],
    }
    assert row.variants == (
        (
            2,
            {
                "sku": "T-S",
                "options": [["Size", "S"]],
                "list_price": {"amount": "19.90", "currency": "EUR"},
                "msrp": {"amount": "25.00", "currency": "EUR"},
                "gtin": "012345678905",
                "upc": "012345678905",
                "images": ["https://i.example/s.jpg"],
                "weight": {"value": "180", "unit": "g"},
                "quantity": 5,
            },
        ),
        (
            3,
            {
                "sku": "T-M",
                "options": [["Size", "M"]],
                "list_price": {"amount": "19.90", "currency": "EUR"},
                "quantity": 0,
            },
        ),
    )


def test_shopify_makes_up_missing_skus() -> None:
    """Blank SKUs are made of handle and options, the same every time, and noted."""
    text = (
        SHOPIFY
        + "mug,Mug,,,,,FALSE,Title,Default Title,,,1,9,,,,,,\n"
        + "tee,Tee,,,,,,Size,Extra Large,,,1,9,,,,,,\ntee,,,,,,,,Ünder,,,1,9,,,,,,\n"
    )
    items = read(text)
    mug, tee = rows(items)
    assert (mug.fields["sku"], mug.variants[0][1]["sku"]) == ("mug", "mug")
    assert mug.variants[0][1]["presence"] == "HIDDEN"
    assert [fields["sku"] for _, fields in tee.variants] == ["tee-extra-large", "tee-ünder"]
    assert notes(items) == [(2, "SkuDerived"), (3, "SkuDerived"), (4, "SkuDerived")]
    assert items == read(text)


def test_shopify_bad_rows() -> None:
    """Bad lines are reported; a handle that begins twice and one without a first line say so."""
    items = read(
        SHOPIFY
        + "a,A,,,,,,Size,S,A-S,,1,-9,,,,,,\na,,,,,,,,M,A-M,,1,9,,,,,,\n"
        + "b,B,,,,,,,,B,,x,9,,,,,,\n"
        + "a,,,,,,,,L,A-L,,1,9,,,,,,\n"
        + ",,,,,,,,,Z,,1,9,,,,,,\n"
        + "c,C,,,,,perhaps,Size,S,C-S,,1,9,,,,,,\nc,,,,,,,,M,C-M,,1,9,,,,,,\n"
        + "d,D,,,,,,,,A-M,,1,9,,,,,,\n"
    )
    assert codes(items) == [
        (2, "BadPrice"),
        (4, "BadQuantity"),
        (4, "NoVariants"),
        (5, "NotAdjacent"),
        (6, "MissingHandle"),
        (7, "BadFlag"),
        (8, "ParentNotTaken"),
        (9, "DuplicateSku"),
        (9, "NoVariants"),
    ]
    assert [row.fields["sku"] for row in rows(items)] == ["a"]


def test_shopify_newer_column_names() -> None:
    """The names of the newer template mean the same columns."""
    (row,) = rows(
        read("Title,URL handle,SKU,Option1 name,Option1 value,Price,Compare-at price\n"
             "Mug,mug,M-1,,,9.5,\n")
    )  # fmt: skip
    assert row.fields == {"sku": "M-1", "title": "Mug"}


def test_woocommerce_simple_product() -> None:
    """A sale price becomes the list price, the regular one the MSRP; the header gives the units."""
    (row,) = rows(
        read(
            WOOCOMMERCE + '7,"simple, virtual",W-1,Cap,1,hidden,One\\nTwo,3,.6,8,6.5,4,16,18,'
            '"Sale, Clothing > Caps","https://i.example/a.jpg, https://i.example/b.jpg",,,Color,'
            '"Red, Wine\\, dark"\n'
        )
    )
    assert row.fields == {
        "sku": "W-1",
        "title": "Cap",
        "description": "One\nTwo",
        "categories": ["Clothing", "Caps"],
        "images": ["https://i.example/a.jpg", "https://i.example/b.jpg"],
        "attributes": {"Color": "Red, Wine, dark"},
    }
    assert row.variants[0][1] == {
        "sku": "W-1",
        "list_price": {"amount": "16.00", "currency": "EUR"},
        "msrp": {"amount": "18.00", "currency": "EUR"},
        "weight": {"value": "0.6", "unit": "lb"},
        "dimensions": {"length": "8", "width": "6.5", "height": "4", "unit": "in"},
        "quantity": 3,
        "presence": "HIDDEN",
    }


def test_woocommerce_variations_far_from_their_parent() -> None:
    """Variations find their parent by SKU or id, before, behind and far below it."""

    def variation(number: int, sku: str, parent: str, size: str) -> str:
        return f"{number},variation,{sku},,1,visible,,1,,,,,,9,,,{parent},,Size,{size}\n"

    items = read(
        WOOCOMMERCE
        + variation(1, "V-XS", "id:2", "XS")
        + '2,variable,V,Tee,1,visible,,,,,,,,,Clothing,,,,Size,"S, M"\n'
        + "3,simple,S-1,Mug,1,visible,,1,,,,,,9,,,,,,\n"
        + variation(4, "V-S", "V", "S")
        + variation(5, "", "id:2", "M")
        + "6,variable,U,Cup,1,visible,,,,,,,,,,,,,,\n"
        + variation(7, "U-S", "id:6", "S")
        + variation(8, "V-L", "V", "L")
        + variation(9, "X-1", "nobody", "L")
    )  # fmt: skip
    found = [(row.fields["sku"], [v["sku"] for _, v in row.variants]) for row in rows(items)]
    assert found == [
        ("S-1", ["S-1"]),
        ("V", ["V-S", "V-m"]),
        ("U", ["U-S"]),
        ("V", ["V-L", "V-XS"]),
    ]
    assert rows(items)[1].fields == {
        "sku": "V",
        "title": "Tee",
        "categories": ["Clothing"],
        "options": ["Size"],
    }
    assert rows(items)[3].fields == {"sku": "V"}
    assert codes(items) == [(10, "UnknownParent")]
    assert (6, "SkuDerived") in notes(items)


def test_woocommerce_bad_rows() -> None:
    """What cannot be sold or read is reported with its reason; the rest is taken."""
    items = read(
        WOOCOMMERCE
        + "1,grouped,G,Set,1,,,,,,,,,,,,,,,\n"
        + "2,external,E,Ad,1,,,,,,,,,9,,,,,,\n"
        + "3,simple,A,Cap,1,,,2.7,,,,,,9,,,,,,\n"
        + '4,simple,B,Cap,1,,,,,,,,,"9,5",,,,,,\n'
        + "5,variable,V,Tee,1,,,,heavy,,,,,,,,,,,\n"
        + "6,variation,V-S,,1,,,,,,,,,9,,,V,,Size,S\n"
        + "7,variable,W,Tee,1,,,,,,,,,,,,,,Size,S\n"
        + "8,subscription,X,Box,1,,,,,,,,,9,,,,,,\n"
        + "9,simple,C,Cap,0,,,parent,,,,,8,9,,,,2030-01-01,,\n"
    )
    assert codes(items) == [
        (2, "NotSellable"),
        (3, "NotSellable"),
        (4, "BadQuantity"),
        (5, "BadPrice"),
        (6, "BadWeight"),
        (7, "ParentNotTaken"),
        (9, "NotSellable"),
        (8, "NoVariants"),
    ]
    assert notes(items) == [(10, "ScheduledSale"), (10, "SharedStock")]
    (cap,) = rows(items)
    assert cap.variants[0][1] == {
        "sku": "C",
        "list_price": {"amount": "9.00", "currency": "EUR"},
        "presence": "HIDDEN",
    }


@pytest.mark.parametrize(
    ("name", "listings", "variants", "refused"),
    [
        ("shopify-apparel.csv", 20, 22, []),
        ("shopify-home-and-garden.csv", 20, 21, []),
        ("shopify-jewelery.csv", 20, 23, []),
        (
            "woocommerce-sample-products.csv",
            16,
            21,
            [(24, "NotSellable"), (25, "NotSellable")],
        ),
    ],
)
def test_real_catalogs(
    name: str, listings: int, variants: int, refused: list[tuple[int, str]]
) -> None:
    """Every sellable product of the real files is read, with title and prices."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"REAL CATALOG ABSENT: {name} is not beside the project; nothing was checked")
    items = read(path.read_bytes())
    found = rows(items)
    assert codes(items) == refused
    assert len({str(row.fields["sku"]) for row in found}) == listings
    assert sum(len(row.variants) for row in found) == variants
    assert all("list_price" in fields for row in found for _, fields in row.variants)
    assert len([row for row in found if "title" in row.fields]) == listings

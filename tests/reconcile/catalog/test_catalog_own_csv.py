"""Our own CSV: what it states, what it refuses, and what it says about that."""

from pathlib import Path

import pytest

from reconcile.catalog import CatalogItem, CatalogNote, read_catalog
from reconcile.contract import CatalogError, CatalogRow

EXAMPLES = Path(__file__).parents[3] / "examples"
DEMO = Path(__file__).parents[3] / "tallyport" / "demo_catalog.csv"


def read(text: str | bytes, name: str = "catalog.csv") -> list[CatalogItem]:
    """Everything that reading the text as a file yields."""
    data = text.encode() if isinstance(text, str) else text
    return list(read_catalog([data], name=name, layouts=(), currency="EUR"))


def rows(items: list[CatalogItem]) -> list[CatalogRow]:
    """The listings among the items."""
    return [item for item in items if isinstance(item, CatalogRow)]


def errors(items: list[CatalogItem]) -> list[CatalogError]:
    """The errors among the items."""
    return [item for item in items if isinstance(item, CatalogError)]


def test_a_line_is_a_listing_with_one_variant() -> None:
    """A line without a parent states a listing and its one variant, each its own fields."""
    (row,) = read(
        "sku,title,category_1,category_2,list_price,quantity,weight,weight_unit,attribute:Color\n"
        "A-1, Mug ,Home,Cups,9.9,3,.50,KG,Blue\n"
    )
    assert row == CatalogRow(
        2,
        {
            "sku": "A-1",
            "title": "Mug",
            "categories": ["Home", "Cups"],
            "attributes": {"Color": "Blue"},
        },
        (
            (
                2,
                {
                    "sku": "A-1",
                    "list_price": {"amount": "9.90", "currency": "EUR"},
                    "quantity": 3,
                    "weight": {"value": "0.5", "unit": "kg"},
                },
            ),
        ),
    )


def test_adjacent_lines_of_a_parent_are_one_listing() -> None:
    """Variants follow their parent's line and carry their options as pairs."""
    first, second = rows(
        read(
            "parent_sku,sku,title,option_1_name,option_1_value,presence\n"
            ",P,Shirt,Size,,HIDDEN\nP,P-S,,,S,\nP,P-M,,,M,LISTED\n,Q,Hat,,,\n"
        )
    )
    assert first.fields == {"sku": "P", "title": "Shirt", "options": ["Size"]}
    assert first.variants == (
        (3, {"sku": "P-S", "options": [["Size", "S"]], "presence": "HIDDEN"}),
        (4, {"sku": "P-M", "options": [["Size", "M"]], "presence": "LISTED"}),
    )
    assert second.fields["sku"] == "Q"


def test_variants_without_a_line_for_their_parent_state_the_listing() -> None:
    """The first variant's title becomes the listing's; one that differs stays the variant's."""
    (row,) = rows(read("parent_sku,sku,title\nP,P-1,Shirt\nP,P-2,Shirt\nP,P-3,Longer Shirt\n"))
    assert row.fields == {"sku": "P", "title": "Shirt"}
    assert [dict(fields) for _, fields in row.variants] == [
        {"sku": "P-1"},
        {"sku": "P-2"},
        {"sku": "P-3", "title": "Longer Shirt"},
    ]


def test_later_lines_of_a_parent_are_a_further_part_of_the_listing() -> None:
    """Variants that come after another listing are handed on with nothing but the parent's SKU."""
    items = read("parent_sku,sku,title\n,P,Shirt\nP,P-1,\n,Q,Hat\nP,P-2,\n")
    assert [(row.fields["sku"], len(row.variants)) for row in rows(items)] == [
        ("P", 1),
        ("Q", 1),
        ("P", 1),
    ]
    assert rows(items)[2].fields == {"sku": "P"}
    assert errors(items) == []


def test_a_listing_of_its_own_gets_no_variants_afterwards() -> None:
    """A variant whose parent was taken without variants further up is refused with both places."""
    items = read("parent_sku,sku\n,P\n,Q\nP,P-1\n")
    assert [(e.line, e.code) for e in errors(items)] == [(4, "NotAdjacent")]
    assert "line 2" in errors(items)[0].message


def test_a_large_group_is_handed_on_in_parts() -> None:
    """A parent of thousands of variants does not have to fit into memory."""
    lines = "".join(f"P,P-{n},Size,{n}\n" for n in range(2500))
    found = rows(read("parent_sku,sku,option_1_name,option_1_value\n" + lines))
    assert [len(row.variants) for row in found] == [1000, 1000, 500]


@pytest.mark.parametrize(
    ("column", "cell", "code", "hint"),
    [
        ("list_price", "-3", "BadPrice", "negative"),
        ("list_price", '"13,5"', "BadPrice", "13.5"),
        ("msrp", '"1,299.00"', "BadPrice", "thousands"),
        ("map", "€9", "BadPrice", "currency"),
        ("estimated_cost", "1e3", "BadPrice", "digits"),
        ("list_price", "1234567890123", "BadPrice", "12 digits"),
        ("list_price", "٣", "BadPrice", "digits"),
        ("quantity", "2.7", "BadQuantity", "whole"),
        ("quantity", "four", "BadQuantity", "whole"),
        ("quantity", "-1", "BadQuantity", "negative"),
        ("quantity", "9999999999", "BadQuantity", "at most"),
        ("weight", "1", "BadWeight", "weight_unit"),
        ("length", "1", "BadDimensions", "together"),
        ("currency", "euro", "BadCurrency", "EUR"),
        ("presence", "gone", "BadPresence", "HIDDEN"),
        ("paused", "maybe", "BadFlag", "true or false"),
        ("images", "ftp://x/y.jpg", "BadImage", "http"),
        ("gtin", '"4,00638E+12"', "BadIdentifier", "spreadsheet"),
        ("category_2", "Cups", "BadCategory", "category_1"),
        ("option_1_value", "L", "BadOption", "option_1_name"),
        ("presence", "\\N", "NotClearable", "cleared"),
    ],
)
def test_a_bad_cell_costs_its_row_only(column: str, cell: str, code: str, hint: str) -> None:
    """The row with the bad cell is reported with line, SKU and reason; its neighbors are taken."""
    items = read(f"sku,{column}\nA,\nB,{cell}\nC,\n")
    (error,) = errors(items)
    assert (error.line, error.sku, error.code) == (3, "B", code)
    assert hint in error.message
    assert [row.fields["sku"] for row in rows(items)] == ["A", "C"]


def test_prices_keep_their_places() -> None:
    """Amounts are text with two places or as many as are written, never rounded."""
    items = read("sku,list_price\nA,5\nB,0.12345\nC,123456789012.10\nD,007.500\n")
    prices = [row.variants[0][1]["list_price"] for row in rows(items)]
    assert [price["amount"] for price in prices if isinstance(price, dict)] == [
        "5.00",
        "0.12345",
        "123456789012.10",
        "7.50",
    ]


def test_missing_and_duplicate_skus_are_named() -> None:
    """A row without SKU and one whose SKU is taken are reported, the latter with both lines."""
    items = read("parent_sku,sku,title\n,A,One\n,,Two\n,A,Three\nP,A,\nP,P-1,\n")
    assert [(e.line, e.code) for e in errors(items)] == [
        (3, "MissingSku"),
        (4, "DuplicateSku"),
        (5, "DuplicateSku"),
    ]
    assert "line 2" in errors(items)[1].message
    assert "line 4" in errors(items)[1].message
    assert [row.fields["sku"] for row in rows(items)] == ["A", "P"]


def test_unknown_columns_are_said_once_and_the_rest_is_read() -> None:
    """A column we do not know is reported with the nearest one, and the rows are taken."""
    items = read("sku,List Prize,title,\nA,9.90,Mug,\nB,1,Cup,\n")
    (error,) = errors(items)
    assert (error.line, error.code) == (1, "UnknownColumn")
    assert "list_price" in error.message
    assert len(rows(items)) == 2


def test_a_repeated_column_is_said() -> None:
    """Of two equal columns the first is read, and the second is reported."""
    items = read("sku,title,Title\nA,Mug,Cup\n")
    assert [e.code for e in errors(items)] == ["DuplicateColumn"]
    assert rows(items)[0].fields["title"] == "Mug"


def test_an_unquoted_comma_is_no_silent_shift() -> None:
    """A row with more cells than the header is refused instead of read into the wrong columns."""
    items = read("sku,list_price\nA,13,5\nB,2\n")
    assert [(e.line, e.sku, e.code) for e in errors(items)] == [(2, "A", "TooManyCells")]
    assert len(rows(items)) == 1


def test_blank_states_nothing_and_the_token_clears() -> None:
    """A blank cell leaves the field out; the clearing token states that it is to be empty."""
    (row,) = rows(
        read("sku,title,brand,msrp,quantity,images,attribute:Color,category_1,weight,length\n"
             "A,,\\N,\\N,,\\N,\\N,\\N,\\N,\\N\n")
    )  # fmt: skip
    assert row.fields == {
        "sku": "A",
        "brand": None,
        "images": None,
        "attributes": {"Color": None},
        "categories": None,
    }
    assert row.variants[0][1] == {"sku": "A", "msrp": None, "weight": None, "dimensions": None}


def test_a_bad_parent_keeps_its_variants_from_becoming_something_else() -> None:
    """Variants below a refused parent are refused too and say why, wherever they are."""
    items = read("parent_sku,sku,list_price\n,P,-1\nP,P-1,2\n,Q,1\nP,P-2,2\n")
    assert [(e.line, e.code) for e in errors(items)] == [
        (2, "BadPrice"),
        (3, "ParentNotTaken"),
        (5, "ParentNotTaken"),
    ]
    assert [row.fields["sku"] for row in rows(items)] == ["Q"]


def test_a_parent_without_good_variants_is_reported() -> None:
    """A parent is not taken for a listing of its own because its variants are bad."""
    items = read("parent_sku,sku,list_price\n,P,\nP,P-1,-2\n,Q,1\nP,P-2,2\n")
    assert [(e.line, e.code) for e in errors(items)] == [
        (3, "BadPrice"),
        (2, "NoVariants"),
        (5, "ParentNotTaken"),
    ]
    assert [row.fields["sku"] for row in rows(items)] == ["Q"]


def test_two_variants_with_the_same_options_cannot_both_be() -> None:
    """The second of two variants with equal options is refused and names the first."""
    items = read(
        "parent_sku,sku,option_1_name,option_1_value\nP,P-1,Size,S\nP,P-2,Size,S\nP,P-3,Size,M\n"
    )
    assert [(e.line, e.code) for e in errors(items)] == [(3, "SameOptions")]
    assert len(rows(items)[0].variants) == 2


def test_the_quantity_of_a_parent_is_noted() -> None:
    """A parent's quantity is not taken, and a note says so."""
    items = read("parent_sku,sku,quantity\n,P,7\nP,P-1,2\n")
    assert [i.code for i in items if isinstance(i, CatalogNote)] == ["QuantityIgnored"]
    assert "quantity" not in rows(items)[0].fields


def test_the_example_files_say_the_same() -> None:
    """The CSV and the JSONL example are one catalog in two formats."""
    found = [
        [
            (dict(row.fields), [dict(fields) for _, fields in row.variants])
            for row in rows(read((EXAMPLES / name).read_bytes(), name))
        ]
        for name in ("catalog.csv", "catalog.jsonl")
    ]
    assert found[0] == found[1]
    assert len(found[0]) == 3


def test_the_demo_catalog_is_clean() -> None:
    """The demo's own catalog is read without an error or a note."""
    items = read(DEMO.read_bytes())
    assert len(rows(items)) == len(items) == 40
    assert sum(len(row.variants) for row in rows(items)) == 67

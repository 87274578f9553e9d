"""Files as bytes: encodings, line ends, quotes, separators, and what a file turns out to be."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.catalogs import LAYOUTS
from reconcile.catalog import CatalogItem, read_catalog
from reconcile.catalog.lines import MAX_LINE, read_lines
from reconcile.contract import CatalogError, CatalogRow
from reconcile.core.types import Value


def read(
    data: bytes, name: str = "catalog.csv", *, size: int | None = None, layout: str | None = None
) -> list[CatalogItem]:
    """Everything that reading the bytes in portions of a size yields."""
    step = size or max(len(data), 1)
    chunks = [data[at : at + step] for at in range(0, len(data), step)]
    return list(read_catalog(chunks, name=name, layouts=LAYOUTS, currency="EUR", layout=layout))


def skus(items: list[CatalogItem]) -> list[Value]:
    """The SKU of every listing."""
    return [item.fields["sku"] for item in items if isinstance(item, CatalogRow)]


def codes(items: list[CatalogItem]) -> list[tuple[int, str]]:
    """Line and code of every error."""
    return [(item.line, item.code) for item in items if isinstance(item, CatalogError)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_encodings_line_ends_and_separators(encoding: str, end: str, separator: str) -> None:
    """What spreadsheets write is read, whatever its encoding, line end and separator."""
    text = end.join(["sku,title", "A,Müsli", "B,ложка", ""]).replace(",", separator)
    for size in (1, 3, None):
        items = read(text.encode(encoding), size=size)
        titles = [item.fields["title"] for item in items if isinstance(item, CatalogRow)]
        assert titles == ["Müsli", "ложка"]


def test_broken_encoding_costs_its_line_only() -> None:
    """A line that is not UTF-8 is reported with byte, place and way out; the others are taken."""
    items = read("sku,title\nA,Mug\nB,Müsli\nC,Cup\n".encode("latin-1"))
    (error,) = [item for item in items if isinstance(item, CatalogError)]
    assert (error.line, error.sku, error.code) == (3, "B", "BadEncoding")
    assert "0xFC" in error.message
    assert "UTF-8" in error.message
    assert skus(items) == ["A", "C"]


def test_lines_are_physical() -> None:
    """A cell with line breaks moves the numbers of the rows below it."""
    items = read(b'sku,title\nA,"two\nlines"\n\nB,-\nA,again\n')
    assert skus(items) == ["A", "B"]
    assert codes(items) == [(6, "DuplicateSku")]


def test_an_open_quote_does_not_swallow_the_file() -> None:
    """The row with the quote that is never closed is reported; all below it are read."""
    items = read(b'sku,title\nA,"open\nB,Mug\nC,"say ""hi"""\nD,Cup\n')
    assert codes(items) == [(2, "BadCsv")]
    assert skus(items) == ["B", "C", "D"]


def test_a_line_without_end_is_bounded() -> None:
    """A line of more than the limit is reported instead of kept."""
    items = read(b"sku,title\nA,x\nB," + b"y" * (MAX_LINE + 10) + b"\nC,z\n", size=65536)
    assert codes(items) == [(3, "LineTooLong")]
    assert skus(items) == ["A", "C"]


@pytest.mark.parametrize(
    ("data", "name", "code"),
    [
        (b"", "a.csv", "EmptyFile"),
        (b"\n \n", "a.csv", "EmptyFile"),
        (b"  ,  \n", "a.csv", "EmptyFile"),
        (b"name,price\nA,1\n", "a.csv", "UnknownLayout"),
        (b'[{"sku": "A"}]', "a.json", "NotJsonLines"),
    ],
)
def test_a_file_that_is_no_catalog(data: bytes, name: str, code: str) -> None:
    """A file that cannot be read at all gives one error that says so."""
    assert [error for _, error in codes(read(data, name))] == [code]


def test_a_layout_can_be_asked_for() -> None:
    """A layout named by the caller is used; a name that does not exist lists those that do."""
    assert skus(read(b"sku,title\nA,x\n", layout="tallyport")) == ["A"]
    assert skus(read(b'{"sku": "A"}\n', "a.txt", layout="jsonl")) == ["A"]
    (error,) = read(b"sku\nA\n", layout="magento")
    assert isinstance(error, CatalogError)
    assert error.code == "UnknownLayout"
    assert "shopify" in error.message


def test_jsonl_bad_lines() -> None:
    """Every broken JSONL line and variant is reported; the good ones are taken."""
    lines = [
        '{"sku": "A", "list_price": 19.90, "quantity": 2, "paused": true}',
        '{"sku": "B", ',
        '{"title": "no sku"}',
        '{"sku": "A"}',
        '{"sku": "C", "list_price": -1}',
        '{"sku": "D", "quantity": 2.7}',
        '{"sku": "E", "colour": "red"}',
        '{"sku": "F", "list_price": 1e999999999}',
        '{"sku": "G", "list_price": NaN}',
        '{"sku": "H", "title": "\\ud800"}',
        "[1]",
        '{"sku": "P", "variants": [{"sku": "P1"}, {"sku": "P1"}, {"sku": "R", "quantity": ""}, 7]}',
        '{"sku": "Q", "variants": []}',
        '{"sku": "R", "quantity": ' + "9" * 5000 + "}",
        '{"sku": "S", "x": ' + "[" * 100_000 + "}",
    ]
    items = read("\n".join(lines).encode(), "catalog.jsonl")
    assert codes(items) == [
        (2, "BadJson"),
        (3, "MissingSku"),
        (4, "DuplicateSku"),
        (5, "BadPrice"),
        (6, "BadQuantity"),
        (7, "UnknownField"),
        (8, "BadPrice"),
        (9, "BadJson"),
        (10, "BadText"),
        (11, "BadJson"),
        (12, "DuplicateSku"),
        (12, "BadQuantity"),
        (12, "BadVariants"),
        (13, "BadVariants"),
        (14, "BadJson"),
        (15, "BadJson"),
    ]
    assert skus(items) == ["A", "E", "P"]
    (first, *_) = [item for item in items if isinstance(item, CatalogRow)]
    assert first.variants[0][1] == {
        "sku": "A",
        "list_price": {"amount": "19.90", "currency": "EUR"},
        "quantity": 2,
        "paused": True,
    }


TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20
).filter(lambda text: text == text.strip() != "" and text != "\\N")
SKU = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=12).filter(
    lambda text: text != "\\N"
)
PRICE = st.decimals(0, 10**12 - 1, places=2).map(lambda amount: f"{amount:f}")
COLUMNS: dict[str, st.SearchStrategy[str]] = {
    "title": TEXT,
    "description": TEXT,
    "brand": TEXT,
    "category_1": TEXT,
    "list_price": PRICE,
    "msrp": PRICE,
    "quantity": st.integers(0, 10**6).map(str),
    "attribute:Color": TEXT,
    "custom:Shelf": TEXT,
}


def stated(name: str, cell: str) -> tuple[str, Value]:
    """The field and value that a cell of a column states."""
    match name:
        case "category_1":
            return "categories", [cell]
        case "list_price" | "msrp":
            return name, {"amount": cell, "currency": "EUR"}
        case "quantity":
            return name, int(cell)
        case "attribute:Color":
            return "attributes", {"Color": cell}
        case "custom:Shelf":
            return "custom_fields", {"Shelf": cell}
        case _:
            return name, cell


@given(
    st.dictionaries(SKU, st.fixed_dictionaries({}, optional=COLUMNS), min_size=1, max_size=6),
    st.sampled_from([",", ";", "\t"]),
    st.integers(1, 50),
)
def test_what_was_written_is_read(
    listings: dict[str, dict[str, str]], separator: str, size: int
) -> None:
    """Our own CSV gives back the values that were written, in any separator and portions."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, ["sku", *COLUMNS], delimiter=separator)
    writer.writeheader()
    for sku, cells in listings.items():
        writer.writerow({"sku": sku, **cells})
    items = read(out.getvalue().encode(), size=size)
    found: dict[Value, dict[str, Value]] = {}
    for item in items:
        assert isinstance(item, CatalogRow)
        found[item.fields["sku"]] = dict(item.fields) | dict(item.variants[0][1])
    expected: dict[Value, dict[str, Value]] = {}
    for sku, cells in listings.items():
        expected[sku] = {"sku": sku}
        expected[sku].update(stated(name, cell) for name, cell in cells.items())
    assert found == expected


@given(
    st.lists(st.tuples(TEXT, st.lists(TEXT, max_size=4, unique=True)), min_size=1, max_size=5),
    st.booleans(),
)
def test_listings_with_variants_are_read_as_written(
    listings: list[tuple[str, list[str]]], as_json: bool
) -> None:
    """Titles and option values of listings with variants come back, from CSV and from JSONL."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["parent_sku", "sku", "title", "option_1_name", "option_1_value"])
    lines = []
    for number, (title, sizes) in enumerate(listings):
        writer.writerow(["", f"P{number}", title, "", ""])
        variants = [
            {"sku": f"P{number}-{at}", "options": {"Size": size}} for at, size in enumerate(sizes)
        ]
        for at, size in enumerate(sizes):
            writer.writerow([f"P{number}", f"P{number}-{at}", "", "Size", size])
        listing = {"sku": f"P{number}", "title": title}
        lines.append(json.dumps(listing | ({"variants": variants} if variants else {})))
    text = "\n".join(lines) if as_json else out.getvalue()
    items = read(text.encode(), "catalog.jsonl" if as_json else "catalog.csv")
    found = []
    for item in items:
        assert isinstance(item, CatalogRow)
        options = [fields["options"] for _, fields in item.variants if "options" in fields]
        found.append((item.fields["title"], options))
    assert found == [(title, [[["Size", size]] for size in sizes]) for title, sizes in listings]


HEADERS = st.sampled_from(
    [
        b"",
        b"parent_sku,sku,title,list_price,quantity,option_1_name,option_1_value\n",
        b"Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Price,Image Src\n",
        b"ID,Type,SKU,Name,Regular price,Parent,Attribute 1 name,Attribute 1 value(s),Stock\n",
        b"\xff\xfe",
        b"{",
    ]
)
CELL = st.sampled_from(
    [
        b"P",
        b"Q",
        b"1",
        b"-1",
        b"",
        b"Size",
        b"S",
        b"variable",
        b"variation",
        b"simple",
        b'"',
        b"\xe9",
    ]
)
LINES = st.lists(st.lists(CELL, max_size=8).map(b",".join), max_size=8).map(b"\n".join)


@given(HEADERS, st.one_of(st.binary(max_size=200), LINES), st.integers(1, 64))
def test_no_bytes_crash_the_reader(header: bytes, body: bytes, size: int) -> None:
    """Whatever the bytes, reading ends; listings have variants, and no SKU comes twice."""
    whole = read(header + body)
    assert whole == read(header + body, size=size)
    taken = [
        fields["sku"]
        for item in whole
        if isinstance(item, CatalogRow)
        for _, fields in item.variants
    ]
    assert len(taken) == len(set(map(str, taken)))
    assert all(item.variants for item in whole if isinstance(item, CatalogRow))


NAMES = st.sampled_from(
    ["sku", "title", "variants", "options", "list_price", "weight", "images", "paused", "quantity"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
)


@given(JSON)
def test_no_json_crashes_the_reader(data: object) -> None:
    """Whatever the JSON, reading ends with listings or errors."""
    text = json.dumps({"sku": "A", "more": data} | (data if isinstance(data, dict) else {}))
    assert read(text.encode(), "a.jsonl")


@given(st.lists(st.binary(max_size=10)))
def test_lines_add_up(chunks: list[bytes]) -> None:
    """The lines of a file are the file: none is lost, doubled or cut, however it is portioned."""
    data = b"".join(chunks)
    lines = list(read_lines(iter(chunks)))
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    if not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        expected = data.decode(errors="replace").replace("\0", "\ufffd")
        assert "".join(line.text for line in lines) == expected

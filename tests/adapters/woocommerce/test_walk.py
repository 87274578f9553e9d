"""Walking a store that changes, is slow to answer, or answers strangely."""

from typing import Any

import httpx
import pytest

from reconcile.contract import Gone, UnexpectedResponseError
from reconcile.core.types import RemoteListing, RemoteRef, SeenPresence
from tests.adapters.shops import WooShop, everything

pytestmark = pytest.mark.anyio


def tee(variations: int, sku: str = "T") -> dict[str, Any]:
    """A variable product."""
    sizes = [str(number) for number in range(variations)]
    return {
        "name": sku,
        "type": "variable",
        "attributes": [{"name": "Size", "options": sizes, "variation": True}],
        "variations": [
            {"sku": f"{sku}-{size}", "attributes": [{"name": "Size", "option": size}]}
            for size in sizes
        ],
    }


async def test_many_variations_are_paged() -> None:
    """A product with 250 variations is read in three requests, completely."""
    shop = WooShop.open([tee(250)])
    (row,) = (await everything(shop.adapter())).values()
    assert len({variant.ref for variant in row.variants}) == 250
    assert shop.requests == {"GET /products": 1, "GET /products/{id}/variations": 3}


async def test_category_tree_is_read_once_and_only_if_needed() -> None:
    """Products in categories cost one further request for the whole walk."""
    shop = WooShop.open(
        [{"name": f"P{n}", "categories": [{"name": f"A > B{n % 3}"}]} for n in range(250)]
    )
    rows = await everything(shop.adapter())
    assert shop.requests == {"GET /products": 3, "GET /products/categories": 1}
    assert next(iter(rows.values())).content["categories"] == [["A", "B0"]]


async def test_selling_needs_no_categories() -> None:
    """A walk without content asks for neither categories nor descriptions."""
    shop = WooShop.open(
        [{"name": f"P{n}", "categories": [{"name": "A > B"}]} for n in range(150)] + [tee(2)]
    )
    pages = [page async for page in shop.adapter().listings(None, with_content=False)]
    assert sum(len(page.rows) for page in pages) == 151
    assert shop.requests == {"GET /products": 2, "GET /products/{id}/variations": 1}
    asked = " ".join(str(item["query"]) for item in shop.sandbox.books.log)
    assert "description" not in asked
    assert "meta_data" not in asked


async def test_variations_are_as_old_as_their_product() -> None:
    """The pages of variable products carry the time at which the product itself was read."""
    shop = WooShop.open([tee(1, "A"), tee(1, "B")])
    pages = [page async for page in shop.adapter().listings(None)]
    assert len({page.observed_at for page in pages}) == 1


async def test_all_statuses_are_seen_but_trash() -> None:
    """Drafts, pending and private products are in the walk, trashed ones are not."""
    shop = WooShop.open(
        [{"name": s, "sku": s, "status": s} for s in ("publish", "draft", "pending", "private")]
        + [{"name": "gone", "sku": "gone"}]
    )
    shop.sandbox.shop({"do": "trash", "sku": "gone"})
    rows = (await everything(shop.adapter())).values()
    assert {row.title for row in rows} == {"publish", "draft", "pending", "private"}


async def test_trash_is_gone_with_the_remedy() -> None:
    """A trashed product reads as gone, and the reason says where it is (R8)."""
    shop = WooShop.open([{"name": "Mug", "sku": "M"}])
    ref = RemoteRef(str(shop.held("M")["id"]))
    shop.sandbox.shop({"do": "trash", "sku": "M"})
    found = (await shop.adapter().read([ref]))[ref]
    assert isinstance(found, Gone)
    assert found.reason == "InTrash"
    assert "restore" in found.message


async def test_changed_types_are_gone() -> None:
    """A simple product that became variable no longer sells what was linked, and says so."""
    shop = WooShop.open([{"name": "Mug", "sku": "M"}, tee(1)])
    simple = RemoteRef(str(shop.held("M")["id"]), "999")
    variable = RemoteRef(str(shop.held("T-0")["parent_id"]))
    found = await shop.adapter().read([simple, variable])
    for item in found.values():
        assert isinstance(item, Gone)
        assert "another type" in item.message


@pytest.mark.parametrize(("how", "reason"), [("delete", "Deleted"), ("trash", "InTrash")])
async def test_variation_of_a_deleted_product(how: str, reason: str) -> None:
    """A variation whose product is gone or in the trash is gone with it."""
    shop = WooShop.open([tee(1)])
    held = shop.held("T-0")
    ref = RemoteRef(str(held["parent_id"]), str(held["id"]))
    shop.sandbox.shop({"do": how, "id": held["parent_id"]})
    gone = (await shop.adapter().read([ref]))[ref]
    assert isinstance(gone, Gone)
    assert gone.reason == reason


async def test_products_deleted_during_the_walk_leave_no_error() -> None:
    """A variable product that vanishes between its page and its variations is left out."""
    shop = WooShop.open([tee(1, "A"), tee(1, "B")])
    pages = [page async for page in shop.adapter().listings(None)]
    cursor = pages[0].cursor
    shop.sandbox.shop({"do": "delete", "id": shop.held("A-0")["parent_id"]})
    rest = [page async for page in shop.adapter().listings(cursor)]
    assert [row.title for page in rest for row in page.rows] == ["B"]
    assert rest[-1].is_last


async def test_variation_that_is_a_draft_is_read() -> None:
    """A product does not name a variation that is a draft, which is there all the same."""
    shop = WooShop.open([tee(1)])
    (row,) = (await everything(shop.adapter())).values()
    ref = row.variants[0].ref
    shop.sandbox.shop({"do": "update", "sku": "T-0", "fields": {"status": "draft"}})
    found = (await shop.adapter().read([ref]))[ref]
    assert isinstance(found, RemoteListing)
    assert found.variants[0].presence is SeenPresence.HIDDEN


async def test_unreadable_rows_are_counted() -> None:
    """A product nobody can understand is named as rejected, the others come through."""
    shop = WooShop.open([{"name": "Mug", "sku": "M"}, {"name": "Cup", "sku": "C"}])
    adapter = shop.adapter()
    real = shop.transport.http

    async def spoil(request: httpx.Request) -> httpx.Response:
        answer = await real.send(real.build_request("GET", request.url, headers=request.headers))
        rows = answer.json()
        rows[0]["sku"] = ["M"]
        headers = {name: answer.headers[name] for name in ("X-WP-Total", "X-WP-TotalPages")}
        return httpx.Response(200, json=rows, headers=headers)

    shop.transport._http = httpx.AsyncClient(transport=httpx.MockTransport(spoil))
    (page,) = [page async for page in adapter.listings(None)]
    assert [row.title for row in page.rows] == ["Cup"]
    assert page.rejected == (str(shop.held("M")["id"]),)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ("[]", {}),
        ("[]", {"X-WP-Total": "many", "X-WP-TotalPages": "1"}),
        ("{}", {"X-WP-Total": "1", "X-WP-TotalPages": "1"}),
        ('[{"name": "no id"}]', {"X-WP-Total": "1", "X-WP-TotalPages": "1"}),
        ("[7]", {"X-WP-Total": "1", "X-WP-TotalPages": "1"}),
        ("[]", {"X-WP-Total": "5", "X-WP-TotalPages": "1"}),
    ],
)
async def test_strange_pages_end_the_walk(body: str, headers: dict[str, str]) -> None:
    """Without counts, ids or rows that were promised nothing is concluded from a page."""
    shop = WooShop.open()
    answer = httpx.Response(200, text=body, headers=headers)
    shop.transport._http = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer))
    with pytest.raises(UnexpectedResponseError):
        await everything(shop.adapter())


async def test_unreadable_cursor() -> None:
    """A stored position that is none is refused instead of starting somewhere."""
    with pytest.raises(UnexpectedResponseError):
        [page async for page in WooShop.open().adapter().listings({"page": "two"})]

"""The number of SQL statements of a query does not depend on how much it returns."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.deps import Deps
from reconcile.worker import drain_until_idle
from tests.api.asking import Client, connected, statements
from tests.store_double import DoubleStore, variant

pytestmark = pytest.mark.anyio

LISTINGS = """
query Q($first: Int!) { listings(first: $first) { totalCount nodes {
  sku title linkState syncStatus counts { linked } channel { name platform { title } counts
  { linked } operations { operation } health recentRuns { id waitingFor { code } } }
  conditions { reason } fields { name value }
  variants(first: 10) { totalCount nodes { sku presence seenPresence syncStatus needsAttention
    values { field isInSync } link { state remote { sku linkedTo { sku } } } item { sku stated }
    candidates { key free { sku } nearest { sku } } conditions { reason } listing { sku }
    channel { name } } } } } }
"""
RUNS = """
query Q($first: Int!) { runs(first: $first) { nodes { state report { attention } waitingFor
  { code } channel { name } actionCounts { kind } attempts(first: 5) { nodes { method } }
  actions(first: 10) { nodes { kind variant { sku } listing { sku } attempts { method }
  run { id } } } } } }
"""
OTHERS = """
query Q($first: Int!) {
  items(first: $first) { nodes { sku variants { sku listing { sku } channel { name } } } }
  remoteVariants(first: $first, where: {channel: "Q2hhbm5lbDox"}) { nodes { sku linkedTo
    { sku listing { sku } } } }
  conditions(first: $first) { nodes { object { ... on ListingVariant { sku } } } }
  actions(first: $first) { nodes { kind channel { name } attempts { url } variant { sku } } }
}
"""


@pytest.fixture
async def shop(api: Client, deps: Deps, store: DoubleStore) -> str:
    """Return a channel with 50 listings of two variants, linked and synced several times."""
    channel = await connected(api)
    statements_ = []
    for number in range(50):
        skus = [f"TEE-{number}-{size}" for size in ("S", "M")]
        store.add(
            f"Tee {number}",
            *(
                variant(sku, price="5", quantity=1, options=(("Size", sku[-1]),))
                for sku in skus[: 1 + number % 2]
            ),
        )
        await api.do(
            "listingUpsert",
            {
                "channel": channel,
                "sku": f"TEE-{number}",
                "fields": {"title": f"Tee {number}"},
                "optionNames": ["Size"],
                "variants": [
                    {"sku": sku, "options": [{"name": "Size", "value": sku[-1]}]} for sku in skus
                ],
            },
            "",
        )
        statements_ += [{"sku": sku, "quantity": number + 2} for sku in skus]
    await api.do("itemSet", {"statements": statements_}, "")
    for operation in ("LINK_LISTINGS", "SYNC_LISTINGS", "LINK_LISTINGS", "SYNC_LISTINGS"):
        given = {"channel": channel, "operation": operation, "isFull": True}
        await api.do("runRequest", given, "")
        await drain_until_idle(deps, 1)
    return channel


@pytest.mark.parametrize(
    ("query", "few", "many", "most"), [(LISTINGS, 5, 50, 26), (RUNS, 1, 4, 14), (OTHERS, 5, 50, 18)]
)
async def test_a_list_costs_a_constant_number_of_statements(
    api: Client, engine: AsyncEngine, shop: str, query: str, few: int, many: int, most: int
) -> None:
    """Five listings with everything about them cost as many statements as fifty."""
    await api.ask(query, first=few)
    with statements(engine) as for_few:
        await api.ask(query, first=few)
    with statements(engine) as for_many:
        data = await api.ask(query, first=many)

    assert data
    assert len(for_few) == len(for_many) <= most


async def test_a_page_of_listings_and_variants_is_cheap(
    api: Client, engine: AsyncEngine, shop: str
) -> None:
    """A page of 50 listings with their variants is three statements, the token's included."""
    query = "{ listings(first: 50) { nodes { sku variants { nodes { sku syncStatus } } } } }"

    with statements(engine) as seen:
        data = await api.ask(query)

    assert len(data["listings"]["nodes"]) == 50
    assert all(len(node["variants"]["nodes"]) == 2 for node in data["listings"]["nodes"])
    assert len(seen) == 3

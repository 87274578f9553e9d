"""The number of SQL statements of a query does not depend on how much it returns."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.deps import Deps
from reconcile.worker import drain_until_idle
from tests.api.asking import Client, connected, statements
from tests.api.order_shop import order_shop, orders_deps, seen_order
from tests.store_double import DoubleStore, variant
from tests.wiring_double import Bell

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
ITEMS = """
query Q($first: Int!) { items(first: $first) { nodes { sku variants { sku listing { sku title }
  channel { name counts { linked } } } } } }
"""
MIRROR = """
query Q($first: Int!) { remoteVariants(first: $first, where: {channel: "Q2hhbm5lbDox"}) { nodes
  { sku linkedTo { sku listing { sku } item { stated } } } } }
"""
CONDITIONS = """
query Q($first: Int!) { conditions(first: $first) { nodes { condition { reason }
  object { ... on ListingVariant { sku listing { sku } } } } } }
"""
ACTIONS = """
query Q($first: Int!) { actions(first: $first, where: {kinds: [SYNC]}) { nodes { kind
  channel { name } run { state } attempts { url } variant { sku } } } }
"""

ATTEMPTS = """
query Q($first: Int!) { attempts(first: $first) { nodes { method url runId actionIds } } }
"""
IMPORTS = """
query Q($first: Int!) { imports(first: $first) { nodes { name state counts channel { name
  counts { linked } } run { state } problems(first: 5) { nodes { line code } } } } }
"""
ORDERS = """
query Q($first: Int!) { orders(first: $first) { nodes { number status email shippingAddress { city }
  hold { code } missingFields { field } channel { name retentionDays } conditions { reason }
  retention { message }
  lines { sku remaining customFields variant { sku listing { title } item { stated deducted }
    quantityExplanation { wanted steps } } }
  shipments { state message conditions { reason } order { number } lines { quantity line { sku } } }
  remoteOrder { number reason lines { sku } conditions { reason } retention { message }
    order { number } } } } }
"""
REMOTE_ORDERS = """
query Q($first: Int!) { remoteOrders(first: $first) { nodes { number verdict inputs channel { name }
  lines { sku } shippingTexts { keys } conditions { reason } retention { message }
  order { number lines { sku } shipments { lines { line { sku } } } } } } }
"""
DEDUCTIONS = """
query Q($first: Int!) { items(first: $first) { nodes { sku deducted deductions(first: 5) { nodes
  { units counts remoteOrder { number order { status } channel { name } } } } variants
  { quantityExplanation { wanted deducted steps } } } } }
"""
TEXTS = """
query Q($first: Int!) { shippingTexts(first: $first) { nodes { text policy heldOrders channel
  { name } } } shippingMappings(first: $first) { nodes { text policy channel { name } } } }
"""
FULFILLMENTS = """
query Q($first: Int!) { actions(first: $first) { nodes { kind order { number } remoteOrder
  { number } shipment { state order { number } } run { report { orders { imported } } } } } }
"""
CHANNELS = """
query Q($first: Int!) { channels(first: $first) { nodes { name platform { title } account
  { name } operations { operation template { rules { source } } } counts { linked } attention
  { reason count } conditions { reason } health budget { message } recentRuns { state waitingFor
  { code } actionCounts { kind } } } } }
"""


@pytest.fixture
async def shop(api: Client, deps: Deps, store: DoubleStore) -> str:
    """Return a channel with 50 listings of two variants, linked and synced several times."""
    channel = await connected(api)
    stated = []
    for number in range(50):
        skus = [f"TEE-{number}-{size}" for size in ("S", "M")]
        # The second variant is not on the store, so that there is something to decide.
        store.add(f"Tee {number}", variant(skus[0], quantity=1, options=(("Size", "S"),)))
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
        stated += [{"sku": sku, "quantity": number + 2} for sku in skus]
    for more in range(4):
        again = [{**each, "quantity": each["quantity"] + more} for each in stated]
        await api.do("itemSet", {"statements": again}, "")
        given = {"channel": channel, "operation": "SYNC_LISTINGS", "isFull": more == 0}
        await api.do("runRequest", given, "")
        await drain_until_idle(deps, 1)
        bad = b"sku,title\n,Nameless\n"
        await api.http.post("/imports?channel=shop", content=bad)
    second = {"double": {"store": "other", "secret": "right"}}
    await api.do("channelConnect", {"name": "second", "credentials": second}, "")
    return channel


@pytest.fixture
async def sold(api: Client, engine: AsyncEngine, store: DoubleStore, bell: Bell) -> Client:
    """Return a client of a shop with 50 orders of two lines, each shipped in part."""
    deps = orders_deps(engine, store, bell)
    made = await order_shop(api, deps)
    for sku in ("MUG", "CUP"):
        given = {"channel": made.channel, "sku": sku, "fields": {"title": sku}}
        await api.do("listingUpsert", given, "")
        await api.do("itemSet", {"statements": [{"sku": sku, "quantity": 900}]}, "")
    await made.take(*(seen_order(str(1000 + number)) for number in range(50)))
    for statement in FILL_ORDERS:
        await made.rows(statement)
    return api


FILL_ORDERS = (
    "INSERT INTO shipments (channel_id, order_id, shipped_at) SELECT 1, id, now() FROM orders",
    """INSERT INTO shipment_lines (shipment_id, order_line_id, quantity)
       SELECT s.id, l.id, 1 FROM shipments s JOIN order_lines l ON l.order_id = s.order_id""",
    """INSERT INTO conditions (channel_id, object_kind, object_id, type, status, reason, message)
       SELECT 1, kind, id, 'SYNC_ORDERS', 'WAITING', 'OrderOnHold', 'm'
       FROM orders, unnest(ARRAY['order', 'shipment']) AS kind""",
    """INSERT INTO runs (id, channel_id, operation, side, trigger)
       VALUES (900, 1, 'SYNC_ORDERS', 'ORDERS', 'PERSON')""",
    """INSERT INTO actions (channel_id, run_id, kind, object_id, write_group, lane, order_id,
           shipment_id, key, input_hash, reason, message, state)
       SELECT 1, 900, 'FULFILL', 'shipment:' || s.id, 'fulfill', 1, o.remote_order_id, s.id,
              'k' || s.id, 'h', 'Shipped', 'm', 'APPLIED'
       FROM shipments s JOIN orders o ON o.id = s.order_id""",
    """INSERT INTO shipping_texts (channel_id, text)
       SELECT 1, 't' || n FROM generate_series(1, 50) n""",
    """INSERT INTO shipping_mappings (channel_id, text, policy)
       SELECT 1, 't' || n, 'Parcel' FROM generate_series(1, 50) n""",
    "INSERT INTO items (sku, stated) SELECT 'S-' || n, 1 FROM generate_series(1, 50) n",
)


@pytest.mark.parametrize(
    ("query", "most"),
    [
        (ORDERS, 17),
        (REMOTE_ORDERS, 7),
        (DEDUCTIONS, 12),
        (TEXTS, 4),
        (FULFILLMENTS, 7),
    ],
    ids=["orders", "remote orders", "deductions", "texts", "fulfillments"],
)
async def test_a_list_of_orders_costs_a_constant_number_of_statements(
    sold: Client, engine: AsyncEngine, query: str, most: int
) -> None:
    """Five orders with lines, shipments, variants and what was seen cost as many as fifty."""
    await sold.ask(query, first=5)
    with statements(engine) as for_few:
        await sold.ask(query, first=5)
    with statements(engine) as for_many:
        data = await sold.ask(query, first=50)

    assert max(len(found["nodes"]) for found in data.values()) == 50
    assert len(for_few) == len(for_many) <= most


async def test_a_page_of_orders_is_cheap(sold: Client, engine: AsyncEngine) -> None:
    """A page of 50 orders with lines and shipments is four statements, the token's included."""
    query = (
        "{ orders(first: 50) { nodes { number lines { sku remaining } "
        "shipments { state lines { quantity line { sku } } } } } }"
    )

    with statements(engine) as seen:
        data = await sold.ask(query)

    assert all(len(node["lines"]) == 2 for node in data["orders"]["nodes"])
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("query", "few", "many", "most"),
    [
        (LISTINGS, 5, 50, 26),
        (RUNS, 1, 4, 12),
        (ITEMS, 5, 50, 6),
        (MIRROR, 5, 50, 6),
        (CONDITIONS, 5, 50, 5),
        (ACTIONS, 5, 50, 7),
        (ATTEMPTS, 1, 4, 2),
        (IMPORTS, 1, 4, 5),
        (CHANNELS, 1, 2, 10),
    ],
    ids=[
        "listings",
        "runs",
        "items",
        "mirror",
        "conditions",
        "actions",
        "attempts",
        "imports",
        "channels",
    ],
)
async def test_a_list_costs_a_constant_number_of_statements(
    api: Client, engine: AsyncEngine, shop: str, query: str, few: int, many: int, most: int
) -> None:
    """Five objects with everything about them cost as many statements as fifty."""
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


@pytest.mark.parametrize("mutation", ["listingPause", "listingHide"])
async def test_a_bulk_command_costs_a_constant_number_of_statements(
    api: Client, engine: AsyncEngine, shop: str, mutation: str
) -> None:
    """Forty ids, bad ones among them, cost as many statements as four."""
    data = await api.ask("{ listings(first: 50) { nodes { id variants { nodes { id } } } } }")
    ids = [node["variants"]["nodes"][0]["id"] for node in data["listings"]["nodes"]]
    ids += [node["id"] for node in data["listings"]["nodes"]]

    seen = []
    for given in (ids[45:55], ids[30:70]):
        with statements(engine) as cost:
            payload = await api.mutate(
                mutation,
                {"ids": [*given, "nonsense"]},
                "results { node { id } userErrors { code } }",
            )
        assert payload["results"][-1]["userErrors"][0]["code"] == "BAD_ID"
        seen.append(len(cost))

    assert seen[0] == seen[1] <= 16

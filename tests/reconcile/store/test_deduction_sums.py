"""The sums in SQL are those of the core, on random statements and random orders."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from reconcile.core.deducting import Basis, DeductedUnits, deducted
from reconcile.store.deduction_reads import (
    counted_orders,
    deducted_now,
    deducted_of_items,
    deducted_of_variants,
    deductions_of_item,
)
from tests.reconcile.store.sold import at

SKUS = ("A", "B", "C")
CHANNELS = (1, 2)
# Few moments, so that "at the very moment of the statement" comes up.
moments = st.integers(0, 4).map(at)


@dataclass(frozen=True)
class Stated:
    """A statement about a SKU, or of one listing variant."""

    sku: str
    as_of: datetime
    basis: Basis = Basis.ON_HAND


@dataclass(frozen=True)
class Case:
    """Statements, listings on two channels, and what was sold where."""

    items: tuple[Stated, ...]
    own: dict[tuple[int, str], datetime | None]
    """Channel and SKU of every listing → since when it states its own quantity, if it does."""
    sold: tuple[tuple[int, DeductedUnits], ...]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Some of the SKUs are stated, listed and sold."""
    items = draw(
        st.lists(
            st.builds(Stated, st.sampled_from(SKUS), moments, st.sampled_from(Basis)),
            unique_by=lambda item: item.sku,
        )
    )
    listed = draw(
        st.dictionaries(
            st.tuples(st.sampled_from(CHANNELS), st.sampled_from(SKUS)), st.none() | moments
        )
    )
    units = st.builds(
        DeductedUnits,
        st.just("1"),
        st.sampled_from(SKUS),
        st.integers(1, 9),
        moments,
        st.none() | moments,
    )
    sold = draw(st.lists(st.tuples(st.sampled_from(CHANNELS), units), max_size=12))
    return Case(tuple(items), listed, tuple(sold))


def expected(case: Case, channel_id: int, sku: str) -> int:
    """What the core deducts for a listing of that SKU on that channel."""
    own = case.own[channel_id, sku]
    if own is not None:
        mine = [units for where, units in case.sold if where == channel_id and units.sku == sku]
        return deducted(mine, Basis.ON_HAND, own)
    return expected_of_item(case, sku)


def expected_of_item(case: Case, sku: str) -> int:
    """What the core deducts from what is stated for a SKU, if anything is."""
    stated = next((item for item in case.items if item.sku == sku), None)
    if stated is None:
        return 0
    sold = [units for _, units in case.sold if units.sku == sku]
    return deducted(sold, stated.basis, stated.as_of)


async def prepare(conn: AsyncConnection) -> None:
    """Two channels with an order each, for everything to hang off."""
    for channel_id in CHANNELS:
        await conn.execute(
            text("""
INSERT INTO channels (id, name, platform, credentials, account_id, currency, our_identifier,
    their_identifier)
VALUES (:id, :name, 'double', '', :name, 'EUR', 'sku', 'sku')
"""),
            {"id": channel_id, "name": f"Channel {channel_id}"},
        )
        await conn.execute(
            text("""
INSERT INTO remote_orders (id, channel_id, remote_id, number, stage, ordered_at, observed_at,
    first_seen_at) VALUES (:id, :id, '1', '1', 'OPEN', now(), now(), now())
"""),
            {"id": channel_id},
        )


async def insert(conn: AsyncConnection, case: Case) -> dict[tuple[int, str], int]:
    """The case as rows; the ids of its listing variants."""
    for item in case.items:
        await conn.execute(
            text("INSERT INTO items (sku, stated, as_of, basis) VALUES (:sku, 20, :as_of, :basis)"),
            {"sku": item.sku, "as_of": item.as_of, "basis": item.basis},
        )
    found: dict[tuple[int, str], int] = {}
    for (channel_id, sku), own in case.own.items():
        marks = {} if own is None else {"quantity": {"at": own.isoformat()}}
        result = await conn.execute(
            text("""
WITH l AS (
    INSERT INTO listings (channel_id, sku) VALUES (:channel_id, :sku) RETURNING id)
INSERT INTO listing_variants (channel_id, listing_id, sku, fields, sources)
SELECT :channel_id, l.id, :sku, CAST(:fields AS jsonb), CAST(:sources AS jsonb) FROM l
RETURNING id
"""),
            {
                "channel_id": channel_id,
                "sku": sku,
                "fields": "{}" if own is None else '{"quantity": 20}',
                "sources": orjson.dumps(marks).decode(),
            },
        )
        found[channel_id, sku] = result.scalar_one()
    for channel_id, units in case.sold:
        await conn.execute(
            text("""
INSERT INTO deductions (channel_id, remote_order_id, line_id, sku, units, ordered_at, left_at)
VALUES (:channel_id, :channel_id, '1', :sku, :units, :ordered_at, :left_at)
"""),
            {
                "channel_id": channel_id,
                "sku": units.sku,
                "units": units.units,
                "ordered_at": units.ordered_at,
                "left_at": units.left_at,
            },
        )
    return found


async def compare(conn: AsyncConnection, case: Case) -> None:
    """Every sum of the store is that of the core, and the rows to show add up to it."""
    variants = await insert(conn, case)
    ids = list(variants.values())
    sums = await deducted_of_variants(conn, ids)
    assert sums == {variant_id: expected(case, *named) for named, variant_id in variants.items()}
    named = await counted_orders(conn, ids, 100)
    shown = {key: sum(item.portion.units for item in orders) for key, orders in named.items()}
    assert {key: units for key, units in sums.items() if units} == shown
    of_items = {sku: expected_of_item(case, sku) for sku in SKUS}
    assert await deducted_now(conn, SKUS) == {sku: n for sku, n in of_items.items() if n}
    rows = (await conn.execute(text("SELECT id, sku FROM items"))).all()
    by_id = await deducted_of_items(conn, [row.id for row in rows])
    assert by_id == {row.id: of_items[row.sku] for row in rows}
    for sku in SKUS:
        page = await deductions_of_item(conn, sku, None, 100)
        counting: Sequence[int] = [row.units for row in page.rows if row.counts]
        assert sum(counting) == of_items[sku]


def test_sql_agrees_with_the_core(database_url: str) -> None:
    """Whatever was stated when and sold where, both take the same units off."""
    with asyncio.Runner() as runner:
        engine = create_async_engine(database_url, pool_size=1)

        async def begin() -> None:
            async with engine.begin() as conn:
                await prepare(conn)

        async def check(case: Case) -> None:
            async with engine.connect() as conn:
                await compare(conn, case)
                await conn.rollback()

        @given(cases())
        def agree(case: Case) -> None:
            runner.run(check(case))

        try:
            runner.run(begin())
            agree()
        finally:
            runner.run(engine.dispose())

"""Fairness and bounds: what one shipment waits for, and what a worker's memory comes to.

    python benchmarks/fairness.py                    100,000 due actions, 20,000 orders
    python benchmarks/fairness.py --due 20000        fewer

A channel has very many actions due, or its store is dead. Another channel's shipment becomes due,
with a worker that has a single slot: counted are the requests of the first channel until it is
sent; limit: one. Then a worker sends and polls very much; its resident memory at the end may exceed
that after the first tenth by at most a fifth. Over a limit the exit status is 1; no part takes
longer than its own bound of time.
"""

import argparse
import asyncio
import os
import resource
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import redis.asyncio as aioredis
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from reconcile.core.types import Side
from reconcile.deps import Tuning
from reconcile.worker import drain, run_worker
from tallyport.doorbell import QueueDoorbell, redis_settings
from tallyport.migrate import upgrade
from tallyport.services import Services, open_services
from tallyport.settings import Settings
from tests.order_double import ORDER_SUPPORT, line
from tests.platform_double import double_platform
from tests.reconcile.runtime.order_stage import GET, OrderStage
from tests.reconcile.runtime.stage import make_stage
from tests.store_double import DoubleStore, StoreProduct, StoreVariant, timed_out

BATCH = 100
LIMIT = 1
MEMORY_LIMIT = 1.2
PART_TAKES = 240.0
"""Seconds after which a part is broken off."""

# A run of the first channel that has planned a new price for each of its variants.
_FILL = (
    """
INSERT INTO listings (id, channel_id, sku, title, fields, content)
SELECT n, :channel, 'SKU-' || n, 'Product ' || n, '{}', '{}' FROM generate_series(1, :due) n
""",
    """
INSERT INTO remote_listings (id, channel_id, remote_id, title, presence, content, observed_at)
SELECT n, :channel, n::text, 'Product ' || n, 'LISTED', '{}', now()
FROM generate_series(1, :due) n
""",
    """
INSERT INTO remote_variants (id, channel_id, remote_listing_id, parent, sku, presence, seen,
    identifiers, link_key, aspects, observed_at)
SELECT n, :channel, n, n::text, 'SKU-' || n, 'LISTED', '{"price": "10"}',
    jsonb_build_object('sku', 'SKU-' || n), 'SKU-' || n, '{}', now()
FROM generate_series(1, :due) n
""",
    """
INSERT INTO listing_variants (id, channel_id, listing_id, sku, fields, link_state, link_key,
    link_origin, remote_variant_id, wanted, stale)
SELECT n, :channel, n, 'SKU-' || n, '{}', 'LINKED', 'SKU-' || n, 'KEY', n, '{"price": "12"}', false
FROM generate_series(1, :due) n
""",
    """
INSERT INTO runs (id, channel_id, operation, side, trigger, is_full, state, phase,
    channel_revision, started_at, planned_at)
SELECT 900000, :channel, 'SYNC_LISTINGS', 'LISTINGS', 'PERSON', false, 'EXECUTING',
    '{"step": "execute", "full": false, "complete": true}', revision, now(), now()
FROM channels WHERE id = :channel AND :due > 0
""",
    """
INSERT INTO actions (channel_id, run_id, kind, object_id, write_group, listing_id, variant_id,
    variant_ids, remote_parent, remote_variant, key, input_hash, changes, lane, state, reason,
    message)
SELECT :channel, 900000, 'SYNC', 'variant:' || n, 'price', n, n, ARRAY[n]::bigint[], n::text, '',
    'bench-' || n, 'bench', jsonb_build_array(jsonb_build_object('field', 'price',
    'variant_id', n::text, 'before', '10', 'after', '12')), 2, 'DUE', 'Differs', 'A new price'
FROM generate_series(1, :due) n
""",
)


def _resident() -> float:
    """Megabytes in memory now, not at the peak."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


@asynccontextmanager
async def _database(services: Services) -> AsyncIterator[AsyncEngine]:
    name = f"benchmark_{uuid.uuid4().hex[:12]}"
    server = create_async_engine(services.database_url, isolation_level="AUTOCOMMIT")
    async with server.connect() as conn:
        await conn.execute(text(f"CREATE DATABASE {name}"))
    head, _, tail = services.database_url.rpartition("?")
    url = f"{head.rpartition('/')[0]}/{name}?{tail}"
    await asyncio.to_thread(upgrade, url)
    engine = create_async_engine(url, pool_size=8)
    try:
        yield engine
    finally:
        await engine.dispose()
        async with server.connect() as conn:
            await conn.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        await server.dispose()


async def _open(engine: AsyncEngine) -> tuple[OrderStage, OrderStage]:
    stores = {"busy": DoubleStore(), "quick": DoubleStore(account_id="account-quick")}
    platform = double_platform(stores, batch_size=BATCH, orders=ORDER_SUPPORT)
    stages = []
    for name, store in stores.items():
        stage = OrderStage(make_stage(engine, platform=platform, store=store))
        await stage.open_as(name)
        stages.append(stage)
    return stages[0], stages[1]


async def _fill(busy: OrderStage, due: int) -> None:
    for number in range(1, due + 1):
        key = str(number)
        sold = [StoreVariant(f"SKU-{key}", "10")]
        busy.store.products[key] = StoreProduct(key, f"Product {key}", sold)
    for statement in _FILL:
        values = {"channel": busy.channel_id, "due": due}
        used = {name: value for name, value in values.items() if f":{name}" in statement}
        await busy.stage.change(statement, **used)
    await busy.stage.change("ANALYZE")


async def _waited(services: Services, due: int, *, is_dead: bool) -> tuple[int, float]:
    """Requests of the busy channel between due and sent, and the seconds of that."""
    async with aioredis.Redis.from_url(services.redis_url) as queue:
        await queue.flushdb()
    async with _database(services) as engine:
        busy, quick = await _open(engine)
        order = quick.order(line("1", "MUG"))
        await quick.get()
        await _fill(busy, due)
        if is_dead:
            for _ in range(5000):
                busy.store.fail(timed_out(), "sync")
        bell = QueueDoorbell(engine, services.redis_url)
        tuning = Tuning(slice=timedelta(seconds=15))
        for stage in (busy, quick):
            stage.stage.deps = replace(stage.stage.deps, doorbell=bell, tuning=tuning)
        stop = asyncio.Event()
        worker = asyncio.create_task(
            run_worker(
                busy.stage.deps,
                redis_settings(services.redis_url),
                name="bench",
                concurrency=1,
                stop=stop,
            )
        )
        try:
            async with asyncio.timeout(PART_TAKES):
                while len(busy.store.writes()) < 3:  # noqa: ASYNC110 - the doubles ring no bell
                    await asyncio.sleep(0.001)
                await quick.ship(order)
                before, started = len(busy.store.requests), time.perf_counter()
                while not order.notes:  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.001)
                took = time.perf_counter() - started
                return len(busy.store.requests) - before, took
        finally:
            stop.set()
            await worker
            await bell.close()


async def _drained(services: Services, number: int) -> list[float]:
    """Resident memory after each tenth of so many actions sent and so many orders polled."""
    async with _database(services) as engine:
        busy, quick = await _open(engine)
        await _fill(busy, number)
        for count in range(number):
            quick.order(line("1", "MUG"), email=f"{count}@personal.example")
        await quick.stage.ask(GET)
        found: list[float] = []
        ended = time.monotonic() + PART_TAKES
        for stage, side, sql in (
            (busy, Side.LISTINGS, "SELECT count(*) FROM actions WHERE state = 'APPLIED'"),
            (quick, Side.ORDERS, "SELECT count(*) FROM remote_orders"),
        ):
            done = 0
            deps = replace(stage.stage.deps, tuning=Tuning(slice=timedelta(seconds=1)))
            while done < number and time.monotonic() < ended:
                await drain(deps, stage.channel_id, side, "bench")
                done = int(await stage.stage.value(sql))
                found.append(_resident())
            print(f"  {side.lower()}: {done:,} of {number:,}, {found[-1]:.1f} MB resident")
        return found


def main() -> int:
    """Measure, print, and say by the exit status whether the limits hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--due", type=int, default=100_000)
    parser.add_argument("--number", type=int, default=20_000)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    kept = True
    with tempfile.TemporaryDirectory(
        prefix="tallyport-bench-", ignore_cleanup_errors=True
    ) as directory:
        settings = Settings(
            data_dir=Path(directory), database_url=None, redis_url=None, secret_keys=None
        )
        with open_services(settings) as services:
            for name, is_dead in (("due actions", False), ("due actions, a dead store", True)):
                waited, took = asyncio.run(_waited(services, options.due, is_dead=is_dead))
                print(
                    f"{options.due:,} {name}: a shipment waited for {waited} requests of the "
                    f"other channel (limit {LIMIT}), {took * 1000:.0f} ms"
                )
                kept = kept and waited <= LIMIT
            print(f"memory of a worker (pid {os.getpid()}):")
            found = asyncio.run(_drained(services, options.number))
    early, late = found[len(found) // 10], found[-1]
    print(f"  {early:.1f} MB after the first tenth, {late:.1f} MB at the end")
    return 0 if kept and late <= MEMORY_LIMIT * early else 1


if __name__ == "__main__":
    sys.exit(main())

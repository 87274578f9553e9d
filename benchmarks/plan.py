"""The plan step with nothing changed, against the bare full outer join it cannot be faster than.

    python benchmarks/plan.py                       a million variants
    python benchmarks/plan.py --variants 20000      fewer

Measured is everything a full SYNC_LISTINGS run does after the last page was read: wanted values
looked after, differences searched, the guard asked, the run reported. Limits: at most twice the
time of the bare join (best of three each), and a peak memory of the Python process that grows by at
most a fifth from a hundredth of the variants to all of them. Over a limit the exit status is 1.
"""

import argparse
import asyncio
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import tracemalloc
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from adapters.registry import PLATFORMS
from reconcile.contract import Adapter, Platform
from reconcile.core.types import Operation, Side, Value
from reconcile.deps import Deps, Recorder
from reconcile.execute import Execution
from reconcile.fetch import Slice
from reconcile.runs import Run
from reconcile.store import leases
from reconcile.store.channels import load_channel, load_operations
from reconcile.store.marking import pairing_sql
from tallyport.migrate import upgrade
from tallyport.services import open_services
from tallyport.services.locks import is_held
from tallyport.settings import Settings

TIME_LIMIT = 2.0
MEMORY_LIMIT = 1.2
FULL = 1_000_000
REPEATS = 3
SERVERS_END_WITHIN = 30.0
"""Seconds; far more than a shutdown takes."""
PLATFORM = "woocommerce"
_URL = "BENCHMARK_DATABASE_URL"

BARE_JOIN = """
SELECT count(*)
FROM (SELECT * FROM listing_variants WHERE channel_id = :channel_id) v
FULL OUTER JOIN (SELECT * FROM remote_variants WHERE channel_id = :channel_id) r
     ON r.id = v.remote_variant_id
WHERE v.id IS NULL OR r.id IS NULL OR NOT r.seen @> v.wanted
"""

# A shop in agreement with its channel: simple products, prices, quantities, titles, content.
_FILL = (
    """
INSERT INTO channels (id, name, platform, credentials, settings, account_id, currency,
    our_identifier, their_identifier, mirror_complete_at, account_checked_at)
VALUES (1, 'Main', 'woocommerce', '', '{}', 'account', 'EUR', 'sku', 'sku', now(), now())
""",
    """
INSERT INTO operations (channel_id, operation)
SELECT 1, unnest(ARRAY['IMPORT_LISTINGS', 'LINK_LISTINGS', 'SYNC_LISTINGS', 'PUBLISH_LISTINGS'])
""",
    """
INSERT INTO listings (id, channel_id, sku, title, fields, content)
SELECT n, 1, 'SKU-' || n, 'Product ' || n,
    jsonb_build_object('title', 'Product ' || n, 'description', repeat('A fine thing. ', 5)),
    jsonb_build_object('name', 'Product ' || n)
FROM generate_series(1, :variants) n
""",
    """
INSERT INTO remote_listings (id, channel_id, remote_id, title, presence, content, observed_at)
SELECT n, 1, (100000 + n)::text, 'Product ' || n, 'LISTED',
    jsonb_build_object('name', 'Product ' || n, 'description', repeat('A fine thing. ', 5)), now()
FROM generate_series(1, :variants) n
""",
    """
INSERT INTO remote_variants (id, channel_id, remote_listing_id, parent, sku, presence, seen,
    identifiers, link_key, aspects, observed_at)
SELECT n, 1, n, (100000 + n)::text, 'SKU-' || n, 'LISTED',
    jsonb_build_object('regular_price', (n % 90 + 10)::text, 'stock_quantity', n % 50,
                       'sale_price', ''),
    jsonb_build_object('sku', 'SKU-' || n), 'SKU-' || n,
    '{"manage_stock": true, "type": "simple"}', now()
FROM generate_series(1, :variants) n
""",
    """
INSERT INTO listing_variants (id, channel_id, listing_id, sku, fields, link_state, link_key,
    link_origin, remote_variant_id, wanted, stale)
SELECT n, 1, n, 'SKU-' || n,
    jsonb_build_object('quantity', n % 50, 'list_price',
                       jsonb_build_object('amount', (n % 90 + 10)::text, 'currency', 'EUR')),
    'LINKED', 'SKU-' || n, 'KEY', n,
    jsonb_build_object('regular_price', (n % 90 + 10)::text, 'stock_quantity', n % 50), false
FROM generate_series(1, :variants) n
""",
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One size: seconds of both, and peak memory of the plan step in bytes."""

    variants: int
    plan: float
    join: float
    allocated: int
    resident: int

    @property
    def ratio(self) -> float:
        """How many times as long as the bare join the plan step takes."""
        return self.plan / self.join


class _NoCipher:
    """Nothing is encrypted here: no adapter speaks to anyone."""

    def encrypt(self, plain: Mapping[str, Value]) -> bytes:
        """Give back nothing."""
        return b"" if not plain else json.dumps(dict(plain)).encode()

    def decrypt(self, token: bytes) -> dict[str, Any]:
        """Give back what there is."""
        return dict(json.loads(token)) if token else {}


class _Silence:
    """Rings for nobody."""

    async def ring(self, channel_id: int, side: Side) -> None:
        """Nobody listens."""

    async def ring_import(self, import_id: int) -> None:
        """Nobody listens."""


def _no_transport(channel_id: int, platform: Platform, record: Recorder | None) -> NoReturn:
    asked = "for the log" if record else "without a log"
    raise RuntimeError(f"planning asked for {platform.name} of channel {channel_id}, {asked}")


def _deps(engine: AsyncEngine) -> Deps:
    return Deps(
        engine=engine,
        platforms=PLATFORMS,
        cipher=_NoCipher(),
        transport=_no_transport,
        doorbell=_Silence(),
    )


async def _fill(engine: AsyncEngine, variants: int) -> None:
    for statement in _FILL:
        async with engine.begin() as conn:
            values = {"variants": variants} if ":variants" in statement else {}
            await conn.execute(text(statement), values)
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as conn:
        await conn.execute(text("VACUUM (ANALYZE)"))


async def _plan(deps: Deps) -> None:
    """One full run from behind its last page to its report."""
    async with deps.engine.begin() as conn:
        run_id = (
            await conn.execute(
                text("""
INSERT INTO runs (channel_id, operation, side, trigger, is_full, state, phase)
VALUES (1, 'SYNC_LISTINGS', 'LISTINGS', 'PERSON', true, 'FETCHING',
    '{"step": "wanted", "full": true, "round": 1, "complete": true}') RETURNING id
""")
            )
        ).scalar_one()
        lease = await leases.take(conn, 1, Side.LISTINGS, "benchmark", deps.tuning.lease)
        channel = await load_channel(conn, deps, 1)
        if lease is None or channel is None:
            raise RuntimeError("somebody else is at work on the benchmark's channel")
        operations = await load_operations(conn, channel)
        row = (
            (await conn.execute(text("SELECT * FROM runs WHERE id = :id"), {"id": run_id}))
            .mappings()
            .one()
        )
    execution = Execution(deps, lease, channel, Adapter(channel.platform))
    part = Slice(execution, run_id, datetime.now(UTC) + timedelta(hours=1), with_content=False)
    await Run(part, row, operations).advance()
    async with deps.engine.begin() as conn:
        await leases.release(conn, lease)
        ended = (
            await conn.execute(
                text("SELECT state, result FROM runs WHERE id = :id"), {"id": run_id}
            )
        ).one()
    if tuple(ended) != ("REPORTED", "SUCCEEDED"):
        raise RuntimeError(f"the run ended {ended.state}, {ended.result}")


async def _best(work: Callable[[], Awaitable[object]]) -> float:
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        await work()
        times.append(time.perf_counter() - started)
    return min(times)


async def _times(engine: AsyncEngine) -> tuple[float, float]:
    async def join() -> None:
        async with engine.connect() as conn:
            found = await conn.execute(text(BARE_JOIN), {"channel_id": 1})
            if found.scalar_one() != 0:
                raise RuntimeError("the two sides were filled in agreement, and differ")

    deps = _deps(engine)
    await join()
    await _plan(deps)
    return await _best(lambda: _plan(deps)), await _best(join)


async def _memory(url: str) -> dict[str, int]:
    """In a process of its own: peaks of the plan step, allocated and resident."""
    engine = create_async_engine(url)
    try:
        tracemalloc.start()
        await _plan(_deps(engine))
        allocated = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    finally:
        await engine.dispose()
    # Linux counts in kilobytes.
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"allocated": allocated, "resident": resident}


def _memory_apart(url: str) -> dict[str, int]:
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(  # noqa: S603 - this very file
        [sys.executable, __file__, "--memory"],
        env={**os.environ, _URL: url, "PYTHONPATH": str(root)},
        check=True,
        capture_output=True,
        text=True,
        timeout=600,
    )
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


async def _statement(conn: AsyncConnection, sql: str) -> None:
    await conn.execute(text(sql))


async def _measure(server_url: str, variants: int) -> Measured:
    name = f"benchmark_{uuid.uuid4().hex[:12]}"
    server = create_async_engine(server_url, isolation_level="AUTOCOMMIT")
    async with server.connect() as conn:
        await _statement(conn, f"CREATE DATABASE {name}")
    head, _, tail = server_url.rpartition("?")
    url = f"{head.rpartition('/')[0]}/{name}?{tail}"
    upgrade(url)
    engine = create_async_engine(url)
    try:
        await _fill(engine, variants)
        plan, join = await _times(engine)
        memory = await asyncio.to_thread(_memory_apart, url)
    finally:
        await engine.dispose()
        async with server.connect() as conn:
            await _statement(conn, f"DROP DATABASE {name} WITH (FORCE)")
        await server.dispose()
    return Measured(variants, plan, join, memory["allocated"], memory["resident"])


def _table(rows: list[Measured]) -> None:
    print(
        f"{'variants':>10} {'plan':>9} {'bare join':>10} {'ratio':>6} {'allocated':>11} {'rss':>9}"
    )
    for row in rows:
        print(
            f"{row.variants:>10,} {row.plan:>8.3f}s {row.join:>9.3f}s {row.ratio:>6.2f} "
            f"{row.allocated / 1e6:>9.2f}MB {row.resident / 1e6:>7.1f}MB"
        )


def _verdict(small: Measured, large: Measured, *, timed: bool) -> bool:
    allocated = large.allocated / small.allocated
    resident = large.resident / small.resident
    print(f"\ntime:   {large.ratio:.2f} times the bare join (limit {TIME_LIMIT})")
    print(
        f"memory: {allocated:.2f} times allocated, {resident:.2f} times resident, "
        f"at {large.variants:,} against {small.variants:,} (limit {MEMORY_LIMIT})"
    )
    fast = large.ratio <= TIME_LIMIT or not timed
    return fast and max(allocated, resident) <= MEMORY_LIMIT


@contextlib.contextmanager
def _data_directory() -> Iterator[Path]:
    """A directory that is removed once the servers in it, which end by themselves, have ended."""
    with tempfile.TemporaryDirectory(prefix="tallyport-bench-") as name:
        yield Path(name)
        deadline = time.monotonic() + SERVERS_END_WITHIN
        while is_held(Path(name) / "services" / "holder.lock") and time.monotonic() < deadline:
            time.sleep(0.05)


def main() -> int:
    """Measure, print, and say by the exit status whether the limits hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variants", type=int, default=FULL)
    parser.add_argument(
        "--untimed", action="store_true", help="do not fail for slowness (a busy machine)"
    )
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    if options.memory:
        print(json.dumps(asyncio.run(_memory(os.environ[_URL]))))
        return 0
    print("The search for differences:", pairing_sql(Operation.SYNC_LISTINGS))
    print("The bare join:", BARE_JOIN)
    with _data_directory() as directory:
        settings = Settings(data_dir=directory, database_url=None, redis_url=None, secret_keys=None)
        with open_services(settings) as services:
            sizes = (max(1, options.variants // 100), options.variants)
            rows = [asyncio.run(_measure(services.database_url, size)) for size in sizes]
    _table(rows)
    return 0 if _verdict(*rows, timed=not options.untimed) else 1


if __name__ == "__main__":
    sys.exit(main())

"""What a run costs and what it says: requests, counts, results, memory bounded by the chunk."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from reconcile.core.types import Presence
from reconcile.deps import Tuning
from reconcile.execute import PORTION_BATCHES
from tests.reconcile.runtime.stage import IMPORT, LINK, PUBLISH, SYNC, Stage, make_stage
from tests.store_double import variant

pytestmark = pytest.mark.anyio


async def test_nothing_changed_nothing_asked(stage: Stage) -> None:
    """A partial run without anything dirty makes no request at all and succeeds."""
    await stage.linked(3)
    for operation in (LINK, SYNC, PUBLISH):
        await stage.run(operation)
    stage.clock.advance(timedelta(hours=1))
    stage.store.requests.clear()
    for operation in (LINK, SYNC, PUBLISH):
        run = await stage.run(operation)
        assert (run["state"], run["result"]) == ("REPORTED", "SUCCEEDED")
    assert stage.store.requests == []


async def test_an_unchanged_full_run_writes_nothing(stage: Stage) -> None:
    """A full run over a channel in agreement reads its pages and touches no row."""
    await stage.linked(25)
    before = await stage.rows("SELECT id, revision, updated_at FROM listing_variants ORDER BY id")
    mirror = await stage.rows("SELECT id, revision FROM remote_variants ORDER BY id")
    stage.store.requests.clear()
    run = await stage.run(SYNC, full=True)
    assert stage.store.requests == ["listings"] * 3
    assert await stage.actions(run["id"]) == []
    assert run["counts"]["listings_candidates"] == 0
    after = await stage.rows("SELECT id, revision, updated_at FROM listing_variants ORDER BY id")
    assert after == before
    assert await stage.rows("SELECT id, revision FROM remote_variants ORDER BY id") == mirror


async def test_as_few_requests_as_batches(engine: AsyncEngine) -> None:
    """N changed rows in batches of B cost ceil(N / B) requests, after the pages of the walk."""
    stage = make_stage(engine, batch_size=10)
    await stage.connect()
    skus = await stage.linked(42)
    for sku in skus:
        await stage.offer(sku, "12")
    stage.store.requests.clear()
    await stage.run(SYNC, full=True)
    assert stage.store.requests == [*["listings"] * 5, *["sync 10"] * 4, "sync 2"]


async def test_counts_of_a_run(stage: Stage) -> None:
    """The report counts what was seen, done, failed and left, by kind, state and reason."""
    await stage.linked(5)
    await stage.offer("S0000", "12")
    await stage.offer("S0001", "666")
    await stage.offer("S0002", presence=Presence.DELISTED)
    await stage.offer("S0003", "12", paused=True)
    await stage.offer("NEW", "1", 1)
    run = await stage.run(SYNC, full=True)
    counts = run["counts"]
    assert counts["products_seen"] == counts["products_total"] == 5
    assert counts["actions"] == {"SYNC": {"APPLIED": 1, "FAILED": 1}, "DELIST": {"APPLIED": 1}}
    assert counts["parents"] == {"updated": 1, "failed": 1, "delisted": 1}
    assert counts["reasons"]["bad_price"] >= 1
    assert counts["reasons"]["Paused"] == 1
    assert counts["reasons"]["NotOnChannel"] == 1
    assert run["result"] == "PARTIAL"


async def test_attention_is_no_success(stage: Stage) -> None:
    """A run that leaves something to a person is PARTIAL though every action succeeded."""
    stage.store.add("One", variant("MUG", "1", 1))
    stage.store.add("Two", variant("MUG", "1", 1))
    stage.store.add("Plate", variant("PLATE", "1", 1))
    await stage.offer("MUG", "1", 1)
    await stage.offer("PLATE", "2", 1)
    run = await stage.run(SYNC, full=True)
    assert set(await stage.states(run["id"])) == {("LINK", "APPLIED"), ("SYNC", "APPLIED")}
    assert run["result"] == "PARTIAL"
    assert run["counts"]["attention"] == 1
    assert run["counts"]["reasons"]["SeveralCandidates"] == 1


async def test_a_scope_decides_only_its_listings(stage: Stage) -> None:
    """A run over named listings reads and writes those alone; the rest stays for others."""
    await stage.linked(3)
    ids = [await stage.offer(sku, "12") for sku in ("S0000", "S0001", "S0002")]
    stage.store.requests.clear()
    run = await stage.run(SYNC, listing_ids=[ids[1]])
    assert stage.store.requests == ["read 1", "sync 1"]
    assert stage.store.by_sku("S0001")[1].price == "12"
    assert stage.store.by_sku("S0000")[1].price == "10"
    assert run["result"] == "SUCCEEDED"
    await stage.run(SYNC)
    assert {item.variants[0].price for item in stage.store.products.values()} == {"12"}
    assert stage.store.writes() == ["sync 1", "sync 2"]


async def test_one_run_links_and_synchronizes(stage: Stage) -> None:
    """A sync on a fresh channel links what it finds and sends what differs in the same run."""
    for number in range(3):
        stage.store.add(f"P{number}", variant(f"S{number}", "1", 1))
        await stage.offer(f"S{number}", "2", 1)
    run = await stage.run(SYNC)
    assert run["counts"]["actions"] == {"LINK": {"APPLIED": 3}, "SYNC": {"APPLIED": 3}}
    assert stage.store.requests == ["check", "listings", "sync 3"]


async def test_memory_is_bounded_by_the_chunk(engine: AsyncEngine) -> None:
    """However many listings a run decides, no statement fetches more of them than fit a chunk."""
    chunk, batch = 5, 1
    stage = make_stage(engine, tuning=Tuning(chunk=chunk), batch_size=batch)
    await stage.connect()
    for number in range(37):
        stage.store.add(f"P{number}", variant(f"S{number:03d}", "1", 1))
        await stage.offer(f"S{number:03d}", "2", 1)
    await stage.run(LINK)
    fetched: list[tuple[int, str]] = []

    @event.listens_for(engine.sync_engine, "after_cursor_execute")
    def count(_conn: object, cursor: object, statement: str, *_rest: object) -> None:
        if statement.lstrip().startswith("SELECT"):
            fetched.append((getattr(cursor, "rowcount", 0), statement))

    run = await stage.run(SYNC)
    event.remove(engine.sync_engine, "after_cursor_execute", count)
    assert run["counts"]["actions"] == {"SYNC": {"APPLIED": 37}}
    assert run["counts"]["listings_decided"] == 37
    # What a partial run reads by id comes in portions of its own.
    of_listings = [size for size, sql in fetched if "listing_variants v\n" in sql and "JOIN" in sql]
    assert of_listings
    assert max(of_listings) <= max(chunk, batch * PORTION_BATCHES)


async def test_small_slices_come_to_the_same_end(engine: AsyncEngine) -> None:
    """Cut into slices at every request and chunk, runs end as they would in one piece."""
    stage = make_stage(engine, tuning=Tuning(chunk=3), batch_size=2)
    await stage.connect()
    for number in range(12):
        stage.store.add(f"P{number}", variant(f"S{number:03d}", "1", 1))
    stage.store.add("Theirs", variant("THEIRS", "1", 1))
    for number in range(15):
        await stage.offer(f"S{number:03d}", "2", 1)

    async def end_the_slice() -> None:
        stage.clock.advance(timedelta(seconds=16))

    stage.hook.before_request = end_the_slice
    for operation in (SYNC, PUBLISH, IMPORT):
        await stage.run(operation)
    assert len(stage.store.products) == 16
    assert {stage.store.by_sku(f"S{number:03d}")[1].price for number in range(15)} == {"2"}
    stage.hook.before_request = None
    for operation in (LINK, SYNC, PUBLISH, IMPORT):
        run = await stage.run(operation, full=True)
        assert await stage.actions(run["id"]) == [], operation
        assert run["result"] == "SUCCEEDED", operation


async def test_two_channels_do_not_touch_each_other(engine: AsyncEngine) -> None:
    """Two stores with the same SKUs: each run works on its own channel's rows only."""
    first = make_stage(engine)
    await first.connect()
    await first.linked(2)
    second = make_stage(engine)
    second.store.account_id = "another"
    await second.change("UPDATE channels SET name = 'First'")
    await second.connect()
    await second.linked(2)
    await first.offer("S0000", "12")
    await second.run(SYNC, full=True)
    assert second.store.writes() == []
    second.store.products.clear()
    await second.run(LINK, full=True)
    assert (await first.variant("S0000")).link_state == "LINKED"
    await first.run(SYNC)
    assert first.store.by_sku("S0000")[1].price == "12"


def test_the_benchmark_runs() -> None:
    """The benchmark of the plan step works on a small catalog; times are not judged here."""
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, str(root / "benchmarks" / "plan.py"), "--variants", "500", "--untimed"],
        check=False,
        capture_output=True,
        text=True,
        timeout=110,
        cwd=root,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FULL OUTER JOIN" in done.stdout
    assert "times the bare join" in done.stdout

"""The worker's side of a catalog import: the stored file → listings, in portions that commit.

A portion's rows, problems and the number of rows done commit together, so a worker can end
anywhere and another goes on; a worker that was overtaken notices and stops.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

import orjson
import structlog
from sqlalchemy import Engine, RowMapping, delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.catalog import CatalogItem, CatalogNote
from reconcile.contract import CatalogError, CatalogRow
from reconcile.core.types import Presence, Side
from reconcile.deps import Deps
from reconcile.import_files import ImportFile, ImportFiles, UnreadableError
from reconcile.import_rows import FileQuantity, stated_listing, stated_quantities
from reconcile.stated import Origin, StatedListing
from reconcile.store.actions import mark_dirty
from reconcile.store.channels import Channel, load_channel
from reconcile.store.imports import OPEN_STATES, ImportState
from reconcile.store.items import StatedItem, state_quantities
from reconcile.store.staleness import mark_skus_stale
from reconcile.store.stating import StatedResult, write_listings
from reconcile.store.tables import import_chunks, import_problems, import_seen, imports

_log = structlog.get_logger(__name__)

PORTION = 500
"""Listings, errors and notes that commit together."""
HARMLESS = frozenset({"UnknownColumn", "UnknownField"})
"""Codes of errors that lose no row."""
_FILES: WeakKeyDictionary[Engine, ImportFiles] = WeakKeyDictionary()
"""Files that this process has open, per database: ids of imports are a database's own."""


async def advance_import(deps: Deps, import_id: int) -> bool:
    """Import for the length of a slice; True when there is more to do."""
    until = time.monotonic() + deps.tuning.slice.total_seconds()
    async with deps.engine.begin() as conn:
        row = await _open(conn, import_id)
        if row is None:
            return False
        channel = await load_channel(conn, deps, row["channel_id"])
    if channel is None or channel.removed_at is not None:
        await _end(deps, import_id, ImportState.FAILED, "ChannelRemoved", "The channel is gone")
        return False
    files = _FILES.setdefault(deps.engine.sync_engine, ImportFiles())
    file = await files.take(deps, row, channel)
    is_kept = False
    try:
        is_kept = await _import(deps, row, channel, file, until)
    finally:
        if is_kept:
            files.keep(import_id, file)
        else:
            file.close()
    return is_kept


async def _open(conn: AsyncConnection, import_id: int) -> RowMapping | None:
    statement = (
        update(imports)
        .where(imports.c.id == import_id, imports.c.state.in_(OPEN_STATES))
        .values(state=ImportState.IMPORTING)
        .returning(imports)
    )
    row: RowMapping | None = (await conn.execute(statement)).mappings().one_or_none()
    return row


async def _import(
    deps: Deps, row: RowMapping, channel: Channel, file: ImportFile, until: float
) -> bool:
    done: int = row["rows_done"]
    try:
        if not await file.skip_to(done, until):
            return True
        while True:
            portion = await file.take(PORTION)
            if not portion:
                return await _finish(deps, row, channel, done, file.layout or row["layout"])
            try:
                if not await _store(deps, row, channel, done, portion):
                    return False
            except IntegrityError:
                # Somebody else made the same listing just now; with it in sight this succeeds.
                return True
            done += len(portion)
            if time.monotonic() >= until:
                return True
    except UnreadableError as error:
        _log.error("import_unreadable", import_id=row["id"], error=error.kind)
        message = "The file could not be read to its end; what came before is imported"
        await _end(deps, row["id"], ImportState.FAILED, "Unreadable", message)
        return False


# --- one portion ----------------------------------------------------------------------------


async def _store(
    deps: Deps, row: RowMapping, channel: Channel, done: int, portion: Sequence[CatalogItem]
) -> bool:
    """Commit a portion; False where another worker has it, or the import was canceled."""
    origin = Origin("FILE", row["requested_by"] or "file", deps.clock(), row["pause_new"])
    found = [item for item in portion if isinstance(item, CatalogRow)]
    stated = [stated_listing(item) for item in found]
    quantities = stated_quantities(found)
    counts: Counter[str] = Counter()
    async with deps.engine.begin() as conn:
        claimed = await conn.execute(
            update(imports)
            .where(
                imports.c.id == row["id"],
                imports.c.state == ImportState.IMPORTING,
                imports.c.rows_done == done,
            )
            .values(rows_done=done + len(portion))
        )
        if claimed.rowcount != 1:
            return False
        # The file was true when it was handed in, however long it waited.
        changed = await _state_quantities(conn, quantities, origin, row["created_at"])
        results = await write_listings(conn, channel, stated, origin)
        if changed:
            await mark_skus_stale(conn, sorted(changed), "QuantityStated")
        problems = _problems(row["id"], portion, results)
        if problems:
            await conn.execute(insert(import_problems), problems)
        if row["replace_with"] is not None:
            await _mark_seen(conn, row["id"], results)
        _count(counts, stated, results, changed, problems)
        await conn.execute(
            text("UPDATE imports SET counts = CAST(:counts AS jsonb) WHERE id = :id"),
            {"id": row["id"], "counts": await _added(conn, row["id"], counts)},
        )
    await deps.doorbell.ring(channel.id, Side.LISTINGS)
    return True


async def _added(conn: AsyncConnection, import_id: int, counts: Mapping[str, int]) -> str:
    held = (
        await conn.execute(select(imports.c.counts).where(imports.c.id == import_id))
    ).scalar_one()
    return orjson.dumps(dict(Counter(held) + Counter(counts))).decode()


async def _state_quantities(
    conn: AsyncConnection, quantities: Sequence[FileQuantity], origin: Origin, as_of: datetime
) -> set[str]:
    """State what the file says; the SKUs for which channels are told another quantity by that."""
    if not quantities:
        return set()
    stated = [
        StatedItem(item.sku, item.quantity, as_of, "ON_HAND", origin.source) for item in quantities
    ]
    written = await state_quantities(conn, stated, by=origin.by, now=origin.at)
    return {item.sku for item in written if item.is_due}


def _problems(
    import_id: int, portion: Sequence[CatalogItem], results: Sequence[StatedResult]
) -> list[dict[str, Any]]:
    found = [
        {
            "import_id": import_id,
            "line": item.line,
            "sku": item.sku,
            "severity": "NOTE" if isinstance(item, CatalogNote) else "ERROR",
            "code": item.code,
            "message": item.message,
        }
        for item in portion
        if isinstance(item, CatalogError | CatalogNote)
    ]
    found += [
        {
            "import_id": import_id,
            "line": problem.line,
            "sku": problem.sku,
            "severity": "ERROR",
            "code": problem.code,
            "message": problem.message,
        }
        for result in results
        for problem in result.problems
    ]
    return sorted(found, key=lambda problem: int(problem["line"]))


async def _mark_seen(
    conn: AsyncConnection, import_id: int, results: Sequence[StatedResult]
) -> None:
    variant_ids = sorted({variant_id for result in results for variant_id in result.variant_ids})
    await conn.execute(
        text("""
INSERT INTO import_seen (import_id, variant_id)
SELECT :import_id, v FROM unnest(CAST(:variant_ids AS bigint[])) v ON CONFLICT DO NOTHING
"""),
        {"import_id": import_id, "variant_ids": variant_ids},
    )


def _count(
    counts: Counter[str],
    stated: Sequence[StatedListing],
    results: Sequence[StatedResult],
    changed: set[str],
    problems: Sequence[Mapping[str, Any]],
) -> None:
    for item, result in zip(stated, results, strict=True):
        counts["rows"] += 1
        counts["variants"] += len(result.variant_ids)
        if result.listing_id is None:
            counts["skipped"] += 1
        elif result.is_new:
            counts["created"] += 1
        elif result.is_changed or any(variant.sku in changed for variant in item.variants):
            counts["updated"] += 1
        else:
            counts["unchanged"] += 1
    counts["quantities"] += len(changed)
    for problem in problems:
        counts["errors" if problem["severity"] == "ERROR" else "notes"] += 1
        if problem["severity"] == "ERROR" and problem["code"] not in HARMLESS:
            counts["lost"] += 1


# --- the end --------------------------------------------------------------------------------


async def _finish(
    deps: Deps, row: RowMapping, channel: Channel, done: int, layout: str | None
) -> bool:
    async with deps.engine.begin() as conn:
        held = (
            (
                await conn.execute(
                    select(imports)
                    .where(
                        imports.c.id == row["id"],
                        imports.c.state == ImportState.IMPORTING,
                        imports.c.rows_done == done,
                    )
                    .with_for_update()
                )
            )
            .mappings()
            .one_or_none()
        )
        if held is None:
            return False
        counts: dict[str, int] = dict(held["counts"])
        values: dict[str, Any] = {"state": ImportState.DONE, "layout": layout}
        if row["replace_with"] is not None:
            if refusal := _refusal(counts):
                values = {
                    "state": ImportState.FAILED,
                    "error_code": "ReplaceRefused",
                    "error_message": refusal,
                }
            else:
                counts["replaced"] = await _replace(
                    conn, deps, row, channel, Presence(row["replace_with"])
                )
        elif not counts.get("rows") and counts.get("lost"):
            values = {
                "state": ImportState.FAILED,
                "error_code": "NothingImported",
                "error_message": "No row of the file could be imported; see its problems",
            }
        await _close(conn, deps, row["id"], {**values, "counts": counts})
    _log.info("import_finished", import_id=row["id"], state=values["state"].value, **counts)
    await deps.doorbell.ring(channel.id, Side.LISTINGS)
    return False


def _refusal(counts: Mapping[str, int]) -> str:
    kept = "what could be read is imported, and no other listing was touched"
    if lost := counts.get("lost", 0):
        return f"{lost} rows of the file were lost to errors, so missing is no proof; {kept}"
    if not counts.get("rows"):
        return f"The file holds no listing, so nothing is replaced by it; {kept}"
    return ""


async def _replace(
    conn: AsyncConnection, deps: Deps, row: RowMapping, channel: Channel, presence: Presence
) -> int:
    """Want the variants that the file does not have hidden or delisted; the guard does the rest."""
    origin = Origin("FILE", row["requested_by"] or "file", deps.clock())
    result = await conn.execute(
        text("""
UPDATE listing_variants v SET presence = :presence, asserted = true, stale = true,
    sources = v.sources || CAST(:sources AS jsonb), revision = v.revision + 1, updated_at = :now
WHERE v.channel_id = :channel_id AND v.presence <> :presence AND v.presence <> 'DELISTED'
  AND v.created_at <= :begun
  AND NOT EXISTS (SELECT 1 FROM import_seen s WHERE s.import_id = :id AND s.variant_id = v.id)
RETURNING v.listing_id
"""),
        {
            "id": row["id"],
            "channel_id": channel.id,
            "presence": presence,
            "sources": orjson.dumps({"presence": origin.mark()}).decode(),
            "now": origin.at,
            "begun": row["created_at"],
        },
    )
    listing_ids = [found.listing_id for found in result]
    if listing_ids:
        await mark_dirty(conn, channel.id, listing_ids, "Replaced")
    return len(listing_ids)


async def _close(
    conn: AsyncConnection, deps: Deps, import_id: int, values: Mapping[str, Any]
) -> None:
    """The import has ended: its file is not needed any more."""
    await conn.execute(
        update(imports).where(imports.c.id == import_id).values(finished_at=deps.clock(), **values)
    )
    await conn.execute(delete(import_chunks).where(import_chunks.c.import_id == import_id))
    await conn.execute(delete(import_seen).where(import_seen.c.import_id == import_id))


async def _end(deps: Deps, import_id: int, state: ImportState, code: str, message: str) -> None:
    async with deps.engine.begin() as conn:
        values = {"state": state, "error_code": code, "error_message": message}
        await _close(conn, deps, import_id, values)

"""Take in a catalog file in portions, then leave it to a worker; nothing is read here."""

import structlog
from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.commands.errors import refuse
from reconcile.commands.lookups import channel_of
from reconcile.core.types import Presence
from reconcile.deps import Deps
from reconcile.store.imports import ImportState
from reconcile.store.tables import import_chunks, imports

_log = structlog.get_logger(__name__)

MOST_BYTES = 64 * 1024 * 1024
"""Of one portion."""


async def begin(
    deps: Deps,
    channel_id: int,
    name: str,
    *,
    layout: str | None = None,
    replace_with: Presence | None = None,
    pause_new: bool = False,
    by: str,
) -> int:
    """Open an import for a file; its id. `replace_with`: for listings the file does not have."""
    if not name.strip() or len(name) > 255 or not name.isprintable():
        raise refuse("INVALID", "A file has a name of at most 255 characters.", "name")
    if replace_with is Presence.LISTED:
        message = "Listings missing from the file can become HIDDEN or DELISTED."
        raise refuse("INVALID", message, "replace_with")
    values = {
        "channel_id": channel_id,
        "name": name,
        "layout": layout,
        "replace_with": replace_with,
        "pause_new": pause_new,
        "requested_by": by,
    }
    async with deps.engine.begin() as conn:
        await channel_of(conn, deps, channel_id)
        import_id: int = (
            await conn.execute(insert(imports).values(values).returning(imports.c.id))
        ).scalar_one()
    _log.info("import_begun", import_id=import_id, channel_id=channel_id, by=by)
    return import_id


async def _import_of(conn: AsyncConnection, import_id: int, *states: ImportState) -> RowMapping:
    statement = select(imports).where(imports.c.id == import_id).with_for_update()
    row = (await conn.execute(statement)).mappings().one_or_none()
    if row is None:
        raise refuse("NOT_FOUND", "There is no such import.", "import_id")
    if row["state"] not in states:
        raise refuse("WRONG_STATE", f"The import is {row['state']}.", "import_id")
    return row


async def append(deps: Deps, import_id: int, number: int, data: bytes) -> None:
    """Keep the next portion; the same number again replaces nothing and harms nothing."""
    if len(data) > MOST_BYTES:
        raise refuse("TOO_MANY", f"A portion has at most {MOST_BYTES} bytes.", "data")
    async with deps.engine.begin() as conn:
        await _import_of(conn, import_id, ImportState.RECEIVING)
        statement = (
            upsert(import_chunks)
            .values(import_id=import_id, number=number, bytes=data)
            .on_conflict_do_nothing()
            .returning(import_chunks.c.number)
        )
        if (await conn.execute(statement)).first() is not None:
            await conn.execute(
                update(imports)
                .where(imports.c.id == import_id)
                .values(received_bytes=imports.c.received_bytes + len(data))
            )


async def finish(deps: Deps, import_id: int) -> None:
    """The file is complete; a worker imports it."""
    async with deps.engine.begin() as conn:
        await _import_of(conn, import_id, ImportState.RECEIVING)
        numbers = (
            await conn.execute(
                select(import_chunks.c.number)
                .where(import_chunks.c.import_id == import_id)
                .order_by(import_chunks.c.number)
            )
        ).scalars()
        if any(number != index for index, number in enumerate(numbers)):
            message = "A portion of the file is missing; send it again."
            raise refuse("WRONG_STATE", message, "import_id")
        await conn.execute(
            update(imports).where(imports.c.id == import_id).values(state=ImportState.QUEUED)
        )
    await deps.doorbell.ring_import(import_id)


async def cancel(deps: Deps, import_id: int, *, by: str) -> None:
    """Stop an import; what it has imported stays."""
    async with deps.engine.begin() as conn:
        await _import_of(
            conn,
            import_id,
            ImportState.RECEIVING,
            ImportState.QUEUED,
            ImportState.IMPORTING,
        )
        await conn.execute(
            update(imports)
            .where(imports.c.id == import_id)
            .values(state=ImportState.CANCELED, finished_at=deps.clock())
        )
        await conn.execute(delete(import_chunks).where(import_chunks.c.import_id == import_id))
    _log.info("import_canceled", import_id=import_id, by=by)

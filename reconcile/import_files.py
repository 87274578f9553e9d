"""The file of an import, read on from where a slice stopped instead of from its start.

A worker keeps a few files open between slices. One that has no file open for an import, after a
restart or because another worker had it before, reads from the start and skips what is done; that
too is cut into slices. Decides nothing about listings, and writes nothing to the database.
"""

import asyncio
import tempfile
import time
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice
from typing import IO

from sqlalchemy import RowMapping, select

from reconcile.catalog import CatalogItem, read_catalog
from reconcile.deps import Deps
from reconcile.store.channels import Channel
from reconcile.store.tables import import_chunks

_COPY = 1024 * 1024
_SKIP = 5000
"""Items skipped between two looks at the time."""
KEPT = 4
"""Files a worker keeps open between slices."""
IDLE = 600.0
"""Seconds after which nobody is expected to come back for a file."""


class UnreadableError(Exception):
    """The reader gave up; only the kind of its error is kept, the rest may quote the file."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class ImportFile:
    """A file and how far it was read; used by one slice at a time."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        # Also where nobody comes back for it: another worker may have ended the import.
        self.close = weakref.finalize(self, file.close)
        self.used_at = time.monotonic()
        self._items: Iterator[CatalogItem] = iter(())
        self.position = 0
        """Items read so far."""
        self.layout: str | None = None
        """What the file turned out to be; None until its first row."""

    def start(self, deps: Deps, row: RowMapping, channel: Channel) -> None:
        """Read from the beginning."""
        self._file.seek(0)
        self._items = read_catalog(
            iter(lambda: self._file.read(_COPY), b""),
            name=row["name"],
            layouts=deps.layouts,
            currency=channel.account.currency,
            layout=row["layout"],
            on_layout=self._recognized,
        )

    def _recognized(self, layout: str) -> None:
        self.layout = layout

    async def skip_to(self, position: int, until: float) -> bool:
        """Pass over what is done already; False where the time was up before."""
        while self.position < position:
            if not await self.take(min(_SKIP, position - self.position)):
                return True
            if time.monotonic() >= until and self.position < position:
                return False
        return True

    async def take(self, count: int) -> list[CatalogItem]:
        """The next items; in a thread, so that a worker goes on with its other channels."""
        found = await asyncio.to_thread(self._take, count)
        self.position += len(found)
        return found

    def _take(self, count: int) -> list[CatalogItem]:
        try:
            return list(islice(self._items, count))
        except Exception as error:
            # A reader never raises for a bad row; whatever this is would come again every time.
            raise UnreadableError(type(error).__name__) from error


class ImportFiles:
    """The files a worker keeps open between slices, the latest used last."""

    def __init__(self) -> None:
        self._files: OrderedDict[int, ImportFile] = OrderedDict()

    async def take(self, deps: Deps, row: RowMapping, channel: Channel) -> ImportFile:
        """The import's file, at or before what is done; it is the caller's until it is kept."""
        self._close_old()
        held = self._files.pop(row["id"], None)
        if held is not None and held.position <= row["rows_done"]:
            return held
        if held is not None:
            # What was read last did not get into the database.
            held.close()
        file = ImportFile(await _copied(deps, row["id"]))
        file.start(deps, row, channel)
        return file

    def keep(self, import_id: int, file: ImportFile) -> None:
        """Hold the file open for the next slice."""
        earlier = self._files.pop(import_id, None)
        if earlier is not None:
            earlier.close()
        file.used_at = time.monotonic()
        self._files[import_id] = file
        self._close_old()

    def _close_old(self) -> None:
        while self._files:
            oldest = next(iter(self._files.values()))
            if len(self._files) <= KEPT and time.monotonic() - oldest.used_at < IDLE:
                return
            self._files.popitem(last=False)
            oldest.close()


async def _copied(deps: Deps, import_id: int) -> IO[bytes]:
    """The stored portions of the file, one at a time in memory."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - stays open between slices, see ImportFiles
    number = 0
    async with deps.engine.connect() as conn:
        while True:
            statement = select(import_chunks.c.bytes).where(
                import_chunks.c.import_id == import_id, import_chunks.c.number == number
            )
            data = (await conn.execute(statement)).scalar_one_or_none()
            if data is None:
                return file
            file.write(data)
            number += 1

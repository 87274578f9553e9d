"""Imports of catalog files: progress, counts, and every bad row with its line and reason."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

from api import edges
from api.access import MutationPayload, mutation
from api.context import Context, Info
from api.enums import Severity
from api.fields import resolver
from api.ids import Kind, encode, number_of
from api.nodes import Node, Reason
from api.paging import After, Connection, First, connection, page_request
from api.scalars import as_json
from reconcile.commands import imports as commands
from reconcile.core.types import Presence
from reconcile.store.imports import (
    ImportFilter,
    ImportRow,
    ImportState,
    imports_by_ids,
    list_imports,
)

if TYPE_CHECKING:
    from api.channels import Channel
    from api.runs import Run


@strawberry.type(description="A row of a catalog file that was not taken, or a remark on one.")
class ImportProblem:
    """A line with its reason."""

    line: int
    sku: str | None
    severity: Severity
    code: str
    message: str


@strawberry.type(description="A catalog file on its way into a channel's listings.")
class Import(Node):
    """An import; files are sent to `POST /imports`."""

    row: strawberry.Private[ImportRow]
    name: str = strawberry.field(description="File name.")
    layout: str | None = strawberry.field(description="Null: not yet recognized.")
    replace_with: Presence | None = strawberry.field(
        description="What becomes of listings that the file does not name; null: nothing."
    )
    pause_new: bool
    state: ImportState
    received_bytes: int
    rows_done: int
    error: Reason | None
    requested_by: str | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def from_row(cls, row: ImportRow) -> "Import":
        """The import as the API shows it."""
        return cls(
            row=row,
            id=strawberry.ID(encode(Kind.IMPORT, row.id)),
            name=row.name,
            layout=row.layout,
            replace_with=row.replace_with,
            pause_new=row.pause_new,
            state=ImportState(row.state),
            received_bytes=row.received_bytes,
            rows_done=row.rows_done,
            error=None
            if row.error_code is None
            else Reason(code=row.error_code, message=row.error_message or ""),
            requested_by=row.requested_by,
            created_at=row.created_at,
            finished_at=row.finished_at,
        )

    @resolver(description="Listings created, updated, unchanged, skipped; errors; notes.")
    def counts(self) -> JSON:
        """Numbers by name."""
        return as_json(self.row.counts) or JSON({})

    @resolver()
    async def channel(
        self, info: Info
    ) -> Annotated["Channel", strawberry.lazy("api.channels")] | None:
        """The channel it is for."""
        return await edges.channel(info.context, self.row.channel_id)

    @resolver(description="The guarded run that replacing led to.")
    async def run(self, info: Info) -> Annotated["Run", strawberry.lazy("api.runs")] | None:
        """The run, where there is one."""
        return await edges.run(info.context, self.row.run_id)

    @resolver(description="Its bad rows and remarks, in the order of the file.")
    async def problems(
        self, info: Info, first: First = 25, after: After = None
    ) -> Connection[ImportProblem]:
        """A page of its problems."""
        request = page_request(first, after)
        page = await info.context.load.import_problems.load((self.row.id, request))
        return connection(
            [
                (
                    row.id,
                    ImportProblem(
                        line=row.line,
                        sku=row.sku,
                        severity=Severity(row.severity),
                        code=row.code,
                        message=row.message,
                    ),
                )
                for row in page.rows
            ],
            request=request,
            has_next=page.has_next,
        )


async def import_by_id(context: Context, number: int) -> Import | None:
    """The import of that number, if there is one."""
    found = await context.reads(imports_by_ids, [number])
    return Import.from_row(found[number]) if number in found else None


@strawberry.input(description="Which imports.")
class ImportFilterInput:
    """Conditions that all hold."""

    channel: strawberry.ID | None = None
    state: ImportState | None = None


@resolver(description="Imports of catalog files, newest first.")
async def imports(
    info: Info, first: First = 25, after: After = None, where: ImportFilterInput | None = None
) -> Connection[Import]:
    """A page of imports."""
    request = page_request(first, after)
    where = where or ImportFilterInput()
    chosen = ImportFilter(
        channel_id=None if where.channel is None else number_of(where.channel, Kind.CHANNEL),
        state=where.state,
    )
    page = await info.context.reads(list_imports, chosen, request.after, request.first)
    return connection(
        [(row.id, Import.from_row(row)) for row in page.rows],
        request=request,
        has_next=page.has_next,
    )


@strawberry.input
class ImportCancelInput:
    """The import to cancel."""

    id: strawberry.ID


@strawberry.type
class ImportCancelPayload(MutationPayload):
    """The canceled import."""

    catalog_import: Import | None = strawberry.field(default=None, name="import")


@mutation(
    ImportCancelPayload,
    ImportCancelInput,
    description="Stop an import; what it has done stays.",
)
async def import_cancel(info: Info, given: ImportCancelInput) -> ImportCancelPayload:
    """Cancel an import."""
    context = info.context
    number = number_of(given.id, Kind.IMPORT)
    await commands.cancel(context.deps, number, by=context.principal.by)
    return ImportCancelPayload(catalog_import=await import_by_id(context, number))


MUTATIONS = (import_cancel,)

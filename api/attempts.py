"""Attempts: the log of requests that changed, or may have changed, something on a platform."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from api.context import Info
from api.fields import resolver
from api.ids import Kind, encode, number_of
from api.nodes import Node
from api.paging import After, Connection, First, connection, page_request
from api.scalars import as_json
from reconcile.store.attempts import AttemptFilter, AttemptRow, list_attempts


@strawberry.type(description="One request to a platform, redacted.")
class Attempt(Node):
    """When, what, answer."""

    at: datetime
    method: str
    url: str
    request: JSON | None = strawberry.field(description="Secrets and personal data redacted.")
    status: int | None = strawberry.field(description="Null: there was no answer.")
    response: JSON | None
    milliseconds: int
    error: str
    action_ids: list[strawberry.ID] = strawberry.field(description="The actions it carried.")
    run_id: strawberry.ID | None

    @classmethod
    def from_row(cls, row: AttemptRow) -> "Attempt":
        """The attempt as the API shows it."""
        return cls(
            id=strawberry.ID(encode(Kind.ATTEMPT, row.id)),
            at=row.at,
            method=row.method,
            url=row.url,
            request=as_json(row.request),
            status=row.status,
            response=as_json(row.response),
            milliseconds=row.milliseconds,
            error=row.error,
            action_ids=[strawberry.ID(encode(Kind.ACTION, each)) for each in row.action_ids],
            run_id=None if row.run_id is None else strawberry.ID(encode(Kind.RUN, row.run_id)),
        )


@strawberry.input(description="Which attempts.")
class AttemptFilterInput:
    """Conditions that all hold."""

    channel: strawberry.ID | None = None
    run: strawberry.ID | None = None
    action: strawberry.ID | None = None


@resolver(description="Requests to platforms that changed something, newest first.")
async def attempts(
    info: Info, first: First = 25, after: After = None, where: AttemptFilterInput | None = None
) -> Connection[Attempt]:
    """A page of the log."""
    request = page_request(first, after)
    where = where or AttemptFilterInput()
    chosen = AttemptFilter(
        channel_id=None if where.channel is None else number_of(where.channel, Kind.CHANNEL),
        run_id=None if where.run is None else number_of(where.run, Kind.RUN),
        action_id=None if where.action is None else number_of(where.action, Kind.ACTION),
    )
    page = await info.context.reads(list_attempts, chosen, request.after, request.first)
    return connection(
        [(row.id, Attempt.from_row(row)) for row in page.rows],
        request=request,
        has_next=page.has_next,
    )

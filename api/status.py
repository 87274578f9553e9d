"""Whether anything will happen at all: the workers that were seen lately."""

from datetime import datetime

import strawberry

from api.context import Info
from api.fields import resolver
from reconcile.store.workers import list_workers


@strawberry.type(description="A process that executes runs.")
class Worker:
    """A worker and when it was seen."""

    name: str
    started_at: datetime
    seen_at: datetime
    is_alive: bool = strawberry.field(description="Seen within the last half minute.")


@strawberry.type(description="The state of this installation.")
class Status:
    """Workers; without a live one nothing runs."""

    is_worker_alive: bool
    workers: list[Worker]


@resolver(description="Whether a worker is there to execute runs.")
async def status(info: Info) -> Status:
    """The state of the installation."""
    rows = await info.context.reads(list_workers)
    workers = [
        Worker(
            name=row.name,
            started_at=row.started_at,
            seen_at=row.seen_at,
            is_alive=row.is_alive,
        )
        for row in rows
    ]
    return Status(is_worker_alive=any(each.is_alive for each in workers), workers=workers)

"""The Node interface and the values that several types carry."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from reconcile.core.actions import Standing
from reconcile.store.conditions import ConditionRow


@strawberry.interface(description="An object that `node(id:)` finds again.")
class Node:
    """Anything with an opaque id."""

    id: strawberry.ID = strawberry.field(description="Opaque; stays the same for ever.")


@strawberry.type(description="A code a program can branch on, and a sentence a person can act on.")
class Reason:
    """Why something is as it is."""

    code: str = strawberry.field(description="CamelCase.")
    message: str


@strawberry.type(description="What the last decision about an object says, until it changes.")
class Condition:
    """A stored decision."""

    type: str = strawberry.field(description="The operation, or what it is about.")
    status: Standing
    reason: str = strawberry.field(description="CamelCase code.")
    message: str
    inputs: JSON = strawberry.field(description="What the decision was made from.")
    since: datetime
    observed_revision: int | None = strawberry.field(
        description="Revision of the object it was made for; an older one is out of date."
    )

    @classmethod
    def from_row(cls, row: ConditionRow) -> "Condition":
        """The condition of a row."""
        return cls(
            type=row.type,
            status=Standing(row.status),
            reason=row.reason,
            message=row.message,
            inputs=JSON(dict(row.inputs)),
            since=row.since,
            observed_revision=row.observed_revision,
        )

"""The mutation of items: state quantities, in bulk."""

from datetime import UTC, datetime

import strawberry

from api.access import MutationPayload, mutation
from api.context import Info
from api.enums import Basis
from api.items import Item
from reconcile.commands import items as commands
from reconcile.commands.errors import refuse
from reconcile.commands.items import Statement, StatementOutcome

MOST_STATEMENTS = 1000


@strawberry.input
class ItemStatementInput:
    """The quantity of one SKU."""

    sku: str
    quantity: int | None = strawberry.field(
        description="Null takes the statement back; that is not zero."
    )
    as_of: datetime | None = strawberry.field(
        default=None, description="When it was counted; default: now. Older ones change nothing."
    )
    basis: Basis = Basis.ON_HAND


@strawberry.input
class ItemSetInput:
    """At most 1,000 statements."""

    statements: list[ItemStatementInput]
    source: str = strawberry.field(default="API", description="Where they come from.")


@strawberry.type(description="What became of one statement.")
class ItemSetResult:
    """What became of one statement."""

    sku: str
    outcome: StatementOutcome
    item: Item | None


@strawberry.type
class ItemSetPayload(MutationPayload):
    """One result per statement, in the order given."""

    results: list[ItemSetResult] | None = None


@mutation(
    ItemSetPayload,
    ItemSetInput,
    description="State quantities; every listing of those SKUs becomes due on every channel.",
)
async def item_set(info: Info, given: ItemSetInput) -> ItemSetPayload:
    """State quantities."""
    context = info.context
    if len(given.statements) > MOST_STATEMENTS:
        raise refuse(
            "TOO_MANY",
            f"{len(given.statements)} statements; at most {MOST_STATEMENTS} fit into one call.",
            "statements",
        )
    made = await commands.set_quantities(
        context.deps,
        [
            Statement(
                sku=each.sku,
                quantity=each.quantity,
                as_of=_moment(each.as_of, index),
                basis=each.basis.value,
                source=given.source,
            )
            for index, each in enumerate(given.statements)
        ],
        by=context.principal.by,
    )
    context.forget()
    rows = await context.load.item.load_many([result.item_id for result in made])
    return ItemSetPayload(
        results=[
            ItemSetResult(
                sku=result.sku,
                outcome=result.outcome,
                item=None if row is None else Item.from_row(row),
            )
            for result, row in zip(made, rows, strict=True)
        ]
    )


def _moment(given: datetime | None, index: int) -> datetime | None:
    """A moment in UTC; without a time zone it is left to the command, which says so."""
    if given is None or given.tzinfo is None:
        return given
    try:
        return given.astimezone(UTC)
    except OverflowError:
        raise refuse(
            "INVALID", "This is before the first year.", "statements", str(index), "as_of"
        ) from None


MUTATIONS = (item_set,)

"""What every resolver is given: who asks, the store, and loaders that live as long as the request.

Loaders turn "one statement per object" into one statement per level of a query, whatever the number
of objects. Each read takes a connection for its one statement and gives it back, so a request never
holds a connection while a command waits for another one.
"""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar

import strawberry
from sqlalchemy.ext.asyncio import AsyncConnection
from strawberry.dataloader import DataLoader

from api.paging import PageRequest
from reconcile.commands.tokens import Scope
from reconcile.core.actions import ActionKind
from reconcile.core.states import ActionState
from reconcile.deps import Deps
from reconcile.stock_explain import QuantityExplanation, quantity_explanations
from reconcile.store.action_reads import (
    ActionCount,
    ActionFilter,
    ActionRow,
    action_counts,
    action_pages,
    actions_by_ids,
)
from reconcile.store.attempts import AttemptRow, attempt_pages, attempts_by_action
from reconcile.store.channels import (
    Channel,
    ChannelOperation,
    LinkCounts,
    channels_by_ids,
    link_counts,
    operations_by_channel,
)
from reconcile.store.conditions import (
    ConditionRow,
    ReasonCount,
    attention_counts,
    conditions_of,
)
from reconcile.store.deduction_reads import DeductionRow, deducted_of_items, deduction_pages
from reconcile.store.imports import ProblemRow, problem_pages
from reconcile.store.items import ItemRow, items_by_ids, items_by_sku
from reconcile.store.links import Candidates, candidates
from reconcile.store.listings import (
    ListingRow,
    ListingSummary,
    VariantRow,
    listing_summaries,
    listings_by_ids,
    variants_by_ids,
    variants_by_sku,
    variants_pages,
)
from reconcile.store.orders import (
    OrderLineRow,
    OrderRow,
    lines_by_ids,
    lines_of,
    orders_by_ids,
    orders_by_remote_order,
)
from reconcile.store.page import Page
from reconcile.store.remote_orders import (
    OrderCounts,
    RemoteOrderRow,
    order_counts,
    remote_orders_by_ids,
)
from reconcile.store.remotes import RemoteVariantRow, remote_variants_by_ids
from reconcile.store.runs import RunRow, WaitingFor, recent_runs, runs_by_ids, waiting_for
from reconcile.store.shipments import ShipmentRow, shipments_by_ids, shipments_of
from reconcile.store.shipping import (
    ShippingMappingRow,
    ShippingTextRow,
    mappings_by_ids,
    texts_by_ids,
)

Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found")
Params = ParamSpec("Params")

__all__ = ["Context", "Info", "Loaders", "Principal", "Reads"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: the token of the request."""

    token_id: int
    name: str
    scopes: frozenset[Scope]

    @property
    def by(self) -> str:
        """How it is recorded in what it changes."""
        return f"token:{self.name}"


class Reads:
    """Runs store reads, each on a connection of its own."""

    def __init__(self, deps: Deps) -> None:
        # AUTOCOMMIT: a single SELECT needs no BEGIN and ROLLBACK around it.
        self._engine = deps.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._snapshots = deps.engine.execution_options(isolation_level="REPEATABLE READ")

    async def __call__(
        self,
        read: Callable[Concatenate[AsyncConnection, Params], Awaitable[Found]],
        /,
        *args: Params.args,
        **kwargs: Params.kwargs,
    ) -> Found:
        """Run one read."""
        async with self._engine.connect() as conn:
            return await read(conn, *args, **kwargs)

    async def at_once(
        self,
        read: Callable[Concatenate[AsyncConnection, Params], Awaitable[Found]],
        /,
        *args: Params.args,
        **kwargs: Params.kwargs,
    ) -> Found:
        """Run a read of several statements on one state of the database, so that they agree."""
        async with self._snapshots.connect() as conn:
            return await read(conn, *args, **kwargs)


ManyRead: TypeAlias = Callable[[AsyncConnection, Sequence[Key]], Awaitable[Mapping[Key, Found]]]
PageKey: TypeAlias = tuple[int, PageRequest]
"""Whose list, and which page of it."""
ActionsKey: TypeAlias = tuple[int, PageRequest, tuple[ActionState, ...], tuple[ActionKind, ...]]
PagesRead: TypeAlias = Callable[
    [AsyncConnection, Sequence[int], int | None, int], Awaitable[Mapping[int, Page[Found]]]
]


class Loaders:
    """One loader per edge of the graph, for one request."""

    def __init__(self, deps: Deps, reads: Reads) -> None:
        self._reads = reads
        self._deps = deps

        async def channels(conn: AsyncConnection, ids: Sequence[int]) -> Mapping[int, Channel]:
            return await channels_by_ids(conn, deps, ids)

        async def free_and_claimed(
            conn: AsyncConnection, ids: Sequence[int]
        ) -> Mapping[int, Candidates]:
            return await candidates(conn, deps, ids)

        self.channel: DataLoader[int, Channel | None] = self._one(channels)
        self.operations: DataLoader[int, tuple[ChannelOperation, ...]] = self._many(
            lambda conn, ids: operations_by_channel(conn, deps, ids)
        )
        self.link_counts: DataLoader[int, LinkCounts | None] = self._one(link_counts)
        self.attention: DataLoader[int, tuple[ReasonCount, ...]] = self._many(attention_counts)
        self.recent_runs: DataLoader[int, tuple[RunRow, ...]] = self._many(recent_runs)
        self.listing: DataLoader[int, ListingRow | None] = self._one(listings_by_ids)
        self.summary: DataLoader[int, ListingSummary | None] = self._one(listing_summaries)
        self.variant: DataLoader[int, VariantRow | None] = self._one(variants_by_ids)
        self.variants: DataLoader[PageKey, Page[VariantRow]] = self._pages(variants_pages)
        self.variants_by_sku: DataLoader[str, tuple[VariantRow, ...]] = self._many(variants_by_sku)
        self.remote: DataLoader[int, RemoteVariantRow | None] = self._one(remote_variants_by_ids)
        self.candidates: DataLoader[int, Candidates | None] = self._one(free_and_claimed)
        self.item: DataLoader[int, ItemRow | None] = self._one(items_by_ids)
        self.item_by_sku: DataLoader[str, ItemRow | None] = self._one(items_by_sku)
        self.run: DataLoader[int, RunRow | None] = self._one(runs_by_ids)
        self.waiting_for: DataLoader[int, WaitingFor | None] = self._one(waiting_for)
        self.action: DataLoader[int, ActionRow | None] = self._one(actions_by_ids)
        self.action_counts: DataLoader[int, tuple[ActionCount, ...]] = self._many(action_counts)
        self.attempts: DataLoader[int, tuple[AttemptRow, ...]] = self._many(attempts_by_action)
        self.run_actions: DataLoader[ActionsKey, Page[ActionRow]] = DataLoader(self._run_actions)
        self.run_attempts: DataLoader[PageKey, Page[AttemptRow]] = self._pages(attempt_pages)
        self.import_problems: DataLoader[PageKey, Page[ProblemRow]] = self._pages(problem_pages)
        self.channel_conditions = self._conditions("channel")
        self.listing_conditions = self._conditions("listing")
        self.variant_conditions = self._conditions("variant")
        self.order: DataLoader[int, OrderRow | None] = self._one(orders_by_ids)
        self.order_of_remote: DataLoader[int, OrderRow | None] = self._one(orders_by_remote_order)
        self.order_lines: DataLoader[int, tuple[OrderLineRow, ...]] = self._many(lines_of)
        self.order_line: DataLoader[int, OrderLineRow | None] = self._one(lines_by_ids)
        self.order_counts: DataLoader[int, OrderCounts | None] = self._one(order_counts)
        self.remote_order: DataLoader[int, RemoteOrderRow | None] = self._one(remote_orders_by_ids)
        self.shipments: DataLoader[int, tuple[ShipmentRow, ...]] = self._many(shipments_of)
        self.shipment: DataLoader[int, ShipmentRow | None] = self._one(shipments_by_ids)
        self.shipping_mapping: DataLoader[int, ShippingMappingRow | None] = self._one(
            mappings_by_ids
        )
        self.shipping_text: DataLoader[int, ShippingTextRow | None] = self._one(texts_by_ids)
        self.order_conditions = self._conditions("order")
        self.shipment_conditions = self._conditions("shipment")
        self.deducted: DataLoader[int, int | None] = self._one(deducted_of_items)
        self.deductions: DataLoader[PageKey, Page[DeductionRow]] = self._pages(deduction_pages)
        self.quantity: DataLoader[int, QuantityExplanation | None] = DataLoader(self._quantities)

    def _one(self, read: ManyRead[Key, Found]) -> "DataLoader[Key, Found | None]":
        async def load(keys: list[Key]) -> list[Found | None]:
            found = await self._reads(read, keys)
            return [found.get(key) for key in keys]

        return DataLoader(load)

    def _many(self, read: ManyRead[Key, tuple[Found, ...]]) -> "DataLoader[Key, tuple[Found, ...]]":
        async def load(keys: list[Key]) -> list[tuple[Found, ...]]:
            found = await self._reads(read, keys)
            return [found.get(key, ()) for key in keys]

        return DataLoader(load)

    def _conditions(self, kind: str) -> "DataLoader[int, tuple[ConditionRow, ...]]":
        return self._many(lambda conn, ids: conditions_of(conn, kind, ids))

    def _pages(self, read: PagesRead[Found]) -> "DataLoader[PageKey, Page[Found]]":
        async def load(keys: list[PageKey]) -> list[Page[Found]]:
            # One statement per different page that is asked for, not per list.
            pages: dict[PageKey, Page[Found]] = {}
            for request in dict.fromkeys(request for _, request in keys):
                ids = [owner for owner, wanted in keys if wanted == request]
                found = await self._reads(read, ids, request.after, request.first)
                pages |= {(owner, request): found.get(owner, Page((), False)) for owner in ids}
            return [pages[key] for key in keys]

        return DataLoader(load)

    async def _quantities(self, variant_ids: list[int]) -> list[QuantityExplanation | None]:
        found = await self._reads.at_once(quantity_explanations, self._deps, variant_ids)
        return [found.get(number) for number in variant_ids]

    async def _run_actions(self, keys: list[ActionsKey]) -> list[Page[ActionRow]]:
        pages: dict[ActionsKey, Page[ActionRow]] = {}
        for question in dict.fromkeys(key[1:] for key in keys):
            request, states, kinds = question
            ids = [key[0] for key in keys if key[1:] == question]
            where = ActionFilter(states=states or None, kinds=kinds or None)
            found = await self._reads(action_pages, ids, where, request.after, request.first)
            pages |= {(run_id, *question): found.get(run_id, Page((), False)) for run_id in ids}
        return [pages[key] for key in keys]


class BudgetState(Protocol):
    """What is known of an account's request budget."""

    @property
    def blocked_until(self) -> datetime | None:
        """Nothing leaves before."""
        ...

    @property
    def available(self) -> float | None:
        """Requests or points left; None where the platform has not said."""
        ...


@dataclass(frozen=True, slots=True)
class UnknownBudget:
    """The budget of an account where nobody keeps one."""

    blocked_until: datetime | None = None
    available: float | None = None


BudgetReader: TypeAlias = Callable[[int], Awaitable[BudgetState]]
"""Channel id → its budget; it is kept beside the queue, not in the database."""


async def no_budget(_channel_id: int) -> BudgetState:
    """The reader where nobody keeps budgets."""
    return UnknownBudget()


class Context:
    """One request."""

    def __init__(self, deps: Deps, principal: Principal, budget: BudgetReader = no_budget) -> None:
        self.deps = deps
        self.budget = budget
        self.principal = principal
        self.reads = Reads(deps)
        self.load = Loaders(deps, self.reads)

    def forget(self) -> None:
        """Drop what was loaded, after a mutation changed it."""
        self.load = Loaders(self.deps, self.reads)


Info: TypeAlias = strawberry.Info[Context, Any]
"""Resolver information with our context; the root value is not used."""

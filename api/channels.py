"""Channels: connected accounts with operations, health and counts. Credentials are not read."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

from api import edges
from api.context import Context, Info
from api.enums import Health
from api.faults import UserFaultError
from api.fields import resolver
from api.ids import Kind, encode, number_of
from api.nodes import Condition, Node
from api.paging import After, Connection, First, connection, page_request
from api.platforms import MappingTemplate, Platform
from api.scalars import as_json
from reconcile.core.actions import Standing
from reconcile.core.types import Operation, WritePolicy
from reconcile.store.channels import Channel as ChannelRow
from reconcile.store.channels import (
    ChannelFilter,
    ChannelOperation,
    channel_by_name,
    list_channels,
)
from reconcile.store.templates import effective_template

if TYPE_CHECKING:
    from api.runs import Run


RATE_CODES = ("RateLimited", "BudgetExhausted")
"""Error codes of runs that wait for the account's rate limit."""


@strawberry.type(description="When an operation runs by itself.")
class Schedule:
    """An interval or a cron expression."""

    interval_seconds: int | None
    cron: str | None = strawberry.field(description="Five fields, UTC.")
    is_full: bool = strawberry.field(description="Looks at everything, not only at what changed.")


@strawberry.type(description="Settings, template and schedule of one operation of a channel.")
class OperationConfig:
    """One operation of one channel."""

    operation: Operation
    is_enabled: bool
    is_paused: bool
    is_manual_only: bool = strawberry.field(description="It cannot be scheduled.")
    settings: JSON
    template: MappingTemplate | None
    schedule: Schedule | None
    next_due_at: datetime | None
    last_finished_at: datetime | None

    @classmethod
    def from_row(cls, row: ChannelOperation, channel: ChannelRow) -> "OperationConfig":
        """The operation as the API shows it."""
        platform, operation = channel.platform, row.operation
        template = None
        if operation in platform.templates or row.template is not None:
            template = MappingTemplate.from_template(
                operation,
                effective_template(platform, operation, row.template),
                is_default=row.template is None,
            )
        schedule = None
        if row.interval_seconds is not None or row.cron is not None:
            schedule = Schedule(
                interval_seconds=row.interval_seconds, cron=row.cron, is_full=row.schedule_full
            )
        return cls(
            operation=operation,
            is_enabled=row.is_enabled,
            is_paused=row.is_paused,
            is_manual_only=operation in platform.manual_only,
            settings=as_json(row.settings) or JSON({}),
            template=template,
            schedule=schedule,
            next_due_at=row.next_due_at,
            last_finished_at=row.last_finished_at,
        )


@strawberry.type(description="The account a channel speaks to, as last checked.")
class Account:
    """Who the credentials speak for."""

    account_id: str
    name: str
    currency: str
    scopes: list[str] = strawberry.field(description="What the credentials may do there.")
    version: str
    features: list[str] = strawberry.field(description="What was detected on this very account.")
    checked_at: datetime | None

    @classmethod
    def from_row(cls, row: ChannelRow) -> "Account":
        """The account of a channel, as last checked."""
        account = row.account
        return cls(
            account_id=account.account_id,
            name=account.name,
            currency=account.currency,
            scopes=sorted(account.scopes),
            version=account.version,
            features=sorted(account.features),
            checked_at=row.account_checked_at,
        )


@strawberry.type(description="Variants by the state of their link.")
class LinkCounts:
    """How much of a channel is linked."""

    linked: int
    unlinked: int
    ambiguous: int
    broken: int


@strawberry.type(description="How many objects need attention for one reason.")
class ReasonCount:
    """A reason code with its number of objects."""

    reason: str
    count: int


@strawberry.type(description="The request budget of the account, where something waits for it.")
class ChannelBudget:
    """Feature T12: the rate limit, and when it goes on."""

    is_waiting: bool
    goes_on_at: datetime | None
    available: float | None = strawberry.field(
        description="Requests or points left, as the platform counts; null: it has not said."
    )
    message: str


@strawberry.type(description="One connected account on a platform.")
class Channel(Node):
    """A channel; its credentials are readable nowhere."""

    row: strawberry.Private[ChannelRow]
    name: str
    policy: WritePolicy
    is_paused: bool
    pause_reason: str | None = strawberry.field(description="Null where a person paused it.")
    pause_message: str | None
    our_identifier: str = strawberry.field(description="Our side of the pair that links.")
    their_identifier: str
    buffer: int = strawberry.field(description="Units kept back from this channel.")
    cap: int | None = strawberry.field(description="Most units this channel is ever told.")
    retention_days: int | None = strawberry.field(
        description="Days after its last shipment, or its cancellation, that the personal data of "
        "an order is kept; null: for good."
    )
    mirror_complete_at: datetime | None = strawberry.field(
        description="When the account was last listed completely; null: never."
    )
    revision: int
    removed_at: datetime | None

    @classmethod
    def from_row(cls, row: ChannelRow) -> "Channel":
        """The channel as the API shows it."""
        return cls(
            row=row,
            id=strawberry.ID(encode(Kind.CHANNEL, row.id)),
            name=row.name,
            policy=row.policy,
            is_paused=row.is_paused,
            pause_reason=row.pause_reason,
            pause_message=row.pause_message,
            our_identifier=row.our_identifier,
            their_identifier=row.their_identifier,
            buffer=row.buffer,
            cap=row.cap,
            retention_days=row.retention_days,
            mirror_complete_at=row.mirror_complete_at,
            revision=row.revision,
            removed_at=row.removed_at,
        )

    @resolver(description="The software the account is on.")
    def platform(self) -> Platform:
        """The platform of the registry."""
        return Platform.from_record(self.row.platform)

    @resolver(description="Settings of the channel as a whole, by name.")
    def settings(self) -> JSON:
        """The channel's settings."""
        return as_json(self.row.settings) or JSON({})

    @resolver(description="Limits of the guard that differ from the default, by name.")
    def guard(self) -> JSON:
        """The guard's limits."""
        return as_json(self.row.guard) or JSON({})

    @resolver(description="The account behind it.")
    def account(self) -> Account:
        """The account as last checked."""
        return Account.from_row(self.row)

    @resolver(description="The operations its platform supports.")
    async def operations(self, info: Info) -> list[OperationConfig]:
        """Each operation with settings, template and schedule."""
        rows = await info.context.load.operations.load(self.row.id)
        return [OperationConfig.from_row(row, self.row) for row in rows]

    @resolver(description="Variants by the state of their link.")
    async def counts(self, info: Info) -> LinkCounts:
        """Linked, unlinked, ambiguous, broken."""
        counts = await info.context.load.link_counts.load(self.row.id)
        if counts is None:
            return LinkCounts(linked=0, unlinked=0, ambiguous=0, broken=0)
        return LinkCounts(
            linked=counts.linked,
            unlinked=counts.unlinked,
            ambiguous=counts.ambiguous,
            broken=counts.broken,
        )

    @resolver(description="What needs a person, by reason.")
    async def attention(self, info: Info) -> list[ReasonCount]:
        """Objects that need attention, counted by reason."""
        counts = await info.context.load.attention.load(self.row.id)
        return [ReasonCount(reason=each.reason, count=each.count) for each in counts]

    @resolver(description="Decisions about the channel itself.")
    async def conditions(self, info: Info) -> list[Condition]:
        """The channel's conditions, one per type."""
        rows = await info.context.load.channel_conditions.load(self.row.id)
        return [Condition.from_row(row) for row in rows]

    @resolver(description="The worst of its conditions and those of its listings and orders.")
    async def health(self, info: Info) -> Health:
        """How the channel is doing."""
        if self.row.is_paused:
            return Health.PAUSED
        rows = await info.context.load.channel_conditions.load(self.row.id)
        standings = {Standing(row.status) for row in rows}
        if Standing.ATTENTION in standings or await info.context.load.attention.load(self.row.id):
            return Health.NEEDS_ATTENTION
        return Health.WAITING if Standing.WAITING in standings else Health.HEALTHY

    @resolver(description="Whether something waits for the account's rate limit.")
    async def budget(self, info: Info) -> ChannelBudget:
        """The state of the request budget."""
        state = await info.context.budget(self.row.id)
        until = state.blocked_until
        if until is not None and until > info.context.deps.clock():
            message = f"The platform's rate limit is used up; it goes on at {until:%H:%M:%S} UTC."
            return ChannelBudget(
                is_waiting=True, goes_on_at=until, available=state.available, message=message
            )
        runs = await info.context.load.recent_runs.load(self.row.id)
        limited = [run.id for run in runs if run.error_code in RATE_CODES]
        for wait in await info.context.load.waiting_for.load_many(limited):
            if wait is not None and wait.until is not None:
                return ChannelBudget(
                    is_waiting=True,
                    goes_on_at=wait.until,
                    available=state.available,
                    message=wait.message,
                )
        return ChannelBudget(
            is_waiting=False,
            goes_on_at=None,
            available=state.available,
            message="Nothing waits for it.",
        )

    @resolver(description="The last five runs, newest first; `runs(where:)` has them all.")
    async def recent_runs(self, info: Info) -> list[Annotated["Run", strawberry.lazy("api.runs")]]:
        """The last five runs."""
        rows = await info.context.load.recent_runs.load(self.row.id)
        return [edges.run_from(row) for row in rows]


async def channel_by_id(context: Context, number: int) -> Channel | None:
    """The channel of that number, if there is one."""
    row = await context.load.channel.load(number)
    return None if row is None else Channel.from_row(row)


@strawberry.input(description="Which channels.")
class ChannelFilterInput:
    """Conditions that all hold."""

    platform: str | None = None
    name: str | None = None
    include_removed: bool = False


@resolver(description="The connected channels.")
async def channels(
    info: Info, first: First = 25, after: After = None, where: ChannelFilterInput | None = None
) -> Connection[Channel]:
    """A page of channels."""
    request = page_request(first, after)
    where = where or ChannelFilterInput()
    page = await info.context.reads(
        list_channels,
        info.context.deps,
        ChannelFilter(
            platform=where.platform, name=where.name, include_removed=where.include_removed
        ),
        request.after,
        request.first,
    )
    return connection(
        [(row.id, Channel.from_row(row)) for row in page.rows],
        request=request,
        has_next=page.has_next,
    )


@resolver(description="One channel, by id or by name.")
async def channel(
    info: Info,
    id: strawberry.ID | None = None,  # noqa: A002 - its name in GraphQL
    name: str | None = None,
) -> Channel | None:
    """The channel, or null."""
    if (id is None) == (name is None):
        raise UserFaultError("Give either `id` or `name`.", code="BAD_ARGUMENTS")
    if id is not None:
        return await channel_by_id(info.context, number_of(id, Kind.CHANNEL))
    row = await info.context.reads(channel_by_name, info.context.deps, name or "")
    return None if row is None else Channel.from_row(row)

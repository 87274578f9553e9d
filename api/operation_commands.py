"""Mutations of a channel's operations: settings, schedule, mapping template."""

from typing import Any, cast

import strawberry
from strawberry.scalars import JSON
from strawberry.types.field import StrawberryField

from api.access import MutationPayload, mutation
from api.channels import Channel, OperationConfig, channel_by_id
from api.context import Context, Info
from api.faults import UserError, user_errors
from api.ids import Kind, number_of
from api.inputs import InputType, PlatformInputs, chosen, input_field, input_type
from reconcile.commands import operations as commands
from reconcile.commands.errors import refuse
from reconcile.commands.operations import Cron, Interval
from reconcile.core.mapping import Case, MappingRule, MappingSet, Template
from reconcile.core.types import Operation, Value


@strawberry.type
class OperationPayload(MutationPayload):
    """The operation as it is now."""

    channel: Channel | None = None
    operation: OperationConfig | None = None


async def _payload(context: Context, number: int, operation: Operation) -> OperationPayload:
    context.forget()
    channel = await channel_by_id(context, number)
    rows = await context.load.operations.load(number)
    row = next((row for row in rows if row.operation == operation), None)
    if channel is None or row is None:
        return OperationPayload(channel=channel)
    return OperationPayload(channel=channel, operation=OperationConfig.from_row(row, channel.row))


def _configure(inputs: PlatformInputs) -> StrawberryField:
    members = {
        "channel": input_field(strawberry.ID),
        "operation": input_field(Operation),
        "is_enabled": input_field(bool, "Whether it runs at all.", optional=True),
        "is_paused": input_field(bool, "Whether it waits for now.", optional=True),
    }
    if inputs.operations is not None:
        members["settings"] = input_field(
            inputs.operations, "Settings of this operation on its platform.", optional=True
        )
    made: InputType = input_type(
        "OperationConfigureInput", "What is left out stays as it is.", members
    )

    @mutation(OperationPayload, made, description="Enable, pause or set up an operation.")
    async def operation_configure(info: Info, given: Any) -> OperationPayload:
        context = info.context
        number = number_of(given.channel, Kind.CHANNEL)
        await commands.configure(
            context.deps,
            number,
            given.operation,
            enabled=_flag(given.is_enabled),
            paused=_flag(given.is_paused),
            settings=await _settings(context, number, given),
            by=context.principal.by,
        )
        return await _payload(context, number, given.operation)

    return operation_configure


def _flag(given: Any) -> bool | None:
    """A flag that may have been left out (UNSET, of a type of its own, hence Any)."""
    return None if given is strawberry.UNSET or given is None else bool(given)


async def _settings(context: Context, number: int, given: Any) -> dict[str, Value] | None:
    """The settings of an input (typed Any: generated), checked against channel and operation."""
    settings = getattr(given, "settings", None)
    if settings in (None, strawberry.UNSET):
        return None
    choice = chosen(settings, context.deps.platforms)
    row = await context.load.channel.load(number)
    if row is not None and row.platform.name != choice.platform:
        raise refuse(
            "INVALID",
            f"These are settings of {choice.platform}; the channel is on {row.platform.name}.",
            "settings",
        )
    if choice.operation != given.operation:
        raise refuse(
            "INVALID",
            f"These are settings of {choice.operation}, not of {given.operation}.",
            "settings",
        )
    return dict(choice.values)


@strawberry.input(one_of=True, description="Every so many seconds, or by a cron expression.")
class ScheduleInput:
    """Exactly one of the two."""

    interval_seconds: int | None = strawberry.UNSET
    cron: str | None = strawberry.field(
        default=strawberry.UNSET, description="Five fields, UTC: `*/15 * * * *`."
    )


@strawberry.input
class OperationScheduleInput:
    """When an operation runs by itself."""

    channel: strawberry.ID
    operation: Operation
    schedule: ScheduleInput | None = strawberry.field(
        default=None, description="Null: by hand only."
    )
    is_full: bool = strawberry.field(
        default=False, description="Look at everything, not only at what changed."
    )


@mutation(
    OperationPayload,
    OperationScheduleInput,
    description="Run an operation on an interval or cron expression, or by hand only.",
)
async def operation_schedule(info: Info, given: OperationScheduleInput) -> OperationPayload:
    """Schedule an operation."""
    context = info.context
    number = number_of(given.channel, Kind.CHANNEL)
    await commands.schedule(
        context.deps,
        number,
        given.operation,
        _schedule(given.schedule),
        full=given.is_full,
        by=context.principal.by,
    )
    return await _payload(context, number, given.operation)


def _schedule(given: ScheduleInput | None) -> Interval | Cron | None:
    if given is None:
        return None
    if isinstance(given.interval_seconds, int):
        return Interval(given.interval_seconds)
    return Cron(str(given.cron))


@strawberry.input
class MappingCaseInput:
    """If our field has this value, use that one."""

    field: str
    equals: str
    then: JSON | None


@strawberry.input
class MappingSetInput:
    """Cases that translate a value; the first that holds wins."""

    name: str
    cases: list[MappingCaseInput]
    keep_unmatched: bool = True


@strawberry.input
class MappingRuleInput:
    """Our field feeds the channel's field."""

    source: str
    target: str
    is_enabled: bool = True
    mapping_set: MappingSetInput | None = None

    def rule(self) -> MappingRule:
        """The rule as the core knows it."""
        given = self.mapping_set
        return MappingRule(
            source=self.source,
            target=self.target,
            enabled=self.is_enabled,
            mapping_set=None
            if given is None
            else MappingSet(
                name=given.name,
                cases=tuple(
                    Case(field=each.field, equals=each.equals, then=cast("Value", each.then))
                    for each in given.cases
                ),
                keep_unmatched=given.keep_unmatched,
            ),
        )


@strawberry.input
class TemplateSetInput:
    """A whole template for one operation of a channel."""

    channel: strawberry.ID
    operation: Operation
    rules: list[MappingRuleInput]
    dry_run: bool = strawberry.field(default=False, description="Only say what is wrong with it.")


@mutation(
    OperationPayload,
    TemplateSetInput,
    description="Give a channel its own template; an invalid one is refused, field by field.",
)
async def template_set(info: Info, given: TemplateSetInput) -> OperationPayload:
    """Set a template."""
    context = info.context
    number = number_of(given.channel, Kind.CHANNEL)
    template = Template(tuple(rule.rule() for rule in given.rules))
    if given.dry_run:
        problems = await commands.template_problems(context.deps, number, given.operation, template)
        errors: list[UserError] = user_errors(problems)
        payload = await _payload(context, number, given.operation)
        payload.user_errors = errors
        return payload
    await commands.template_set(
        context.deps, number, given.operation, template, by=context.principal.by
    )
    return await _payload(context, number, given.operation)


@strawberry.input
class TemplateResetInput:
    """The operation whose template goes back to the platform's default."""

    channel: strawberry.ID
    operation: Operation


@mutation(
    OperationPayload,
    TemplateResetInput,
    description="Go back to the platform's default template.",
)
async def template_reset(info: Info, given: TemplateResetInput) -> OperationPayload:
    """Reset a template."""
    context = info.context
    number = number_of(given.channel, Kind.CHANNEL)
    await commands.template_reset(context.deps, number, given.operation, by=context.principal.by)
    return await _payload(context, number, given.operation)


def operation_mutations(inputs: PlatformInputs) -> tuple[StrawberryField, ...]:
    """Every mutation of operations, with the inputs of these platforms."""
    return (_configure(inputs), operation_schedule, template_set, template_reset)

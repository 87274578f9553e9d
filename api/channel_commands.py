"""Mutations of channels. Inputs come from the registry: each platform has its own credentials."""

from collections.abc import Mapping
from typing import Any

import strawberry
from strawberry.types.field import StrawberryField

from api.access import MutationPayload, mutation
from api.channels import Account, Channel, channel_by_id
from api.context import Context, Info
from api.ids import Kind, number_of
from api.inputs import InputType, PlatformInputs, chosen, input_field, input_type
from reconcile.commands import channels as commands
from reconcile.commands.changes import UNSET
from reconcile.commands.channels import ChannelEdit, NewChannel
from reconcile.commands.errors import refuse
from reconcile.commands.tokens import Scope
from reconcile.core.types import Value, WritePolicy

ID = strawberry.ID


@strawberry.type
class ChannelPayload(MutationPayload):
    """The channel as it is now."""

    channel: Channel | None = None


@strawberry.type
class ChannelCheckPayload(MutationPayload):
    """The channel and what the platform said."""

    channel: Channel | None = None
    account: Account | None = None


@strawberry.input(description="Limits of the guard; what is left out stays, null: the default.")
class GuardInput:
    """When a destructive effect needs approval."""

    count: int | None = strawberry.field(
        default=strawberry.UNSET, description="Objects that are always let through; default 10."
    )
    share: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Share of the linked variants, decimal text; default 0.05.",
    )
    ceiling: int | None = strawberry.field(
        default=strawberry.UNSET, description="More than this is over budget in any case."
    )

    def values(self) -> dict[str, Value]:
        """The stated limits."""
        return {name: value for name, value in vars(self).items() if value is not strawberry.UNSET}


@strawberry.input
class ChannelInput:
    """A channel."""

    id: ID


def _settings(given: Any, context: Context, platform: str) -> Mapping[str, Value]:
    """The values of a settings input (typed Any: generated), checked against the platform."""
    if given in (None, strawberry.UNSET):
        return {}
    choice = chosen(given, context.deps.platforms)
    if choice.platform != platform:
        raise refuse(
            "INVALID",
            f"These are settings of {choice.platform}; the channel is on {platform}.",
            "settings",
        )
    return choice.values


def _set(value: Any) -> Any:
    """A value of an input for a command: what was left out stays as it is."""
    return UNSET if value is strawberry.UNSET else value


def _required(value: Any, name: str) -> Any:
    """As `_set`, for what cannot be null."""
    if value is None:
        raise refuse("INVALID", f"{name} cannot be null; leave it out to keep it.", name)
    return _set(value)


def _common(inputs: PlatformInputs) -> dict[str, StrawberryField]:
    members = {
        "policy": input_field(
            WritePolicy, "What may be written to the channel; default FULL.", optional=True
        ),
        "our_identifier": input_field(
            str, "Our side of the linking pair; default: the platform's first.", optional=True
        ),
        "their_identifier": input_field(str, "Their side of the linking pair.", optional=True),
        "buffer": input_field(int, "Units kept back from this channel; default 0.", optional=True),
        "cap": input_field(int, "Most units the channel is ever told.", optional=True),
        "guard": input_field(GuardInput, "Limits of the guard.", optional=True),
    }
    if inputs.settings is not None:
        members["settings"] = input_field(
            inputs.settings, "Settings of the channel.", optional=True
        )
    return members


def _connect(inputs: PlatformInputs) -> StrawberryField:
    made: InputType = input_type(
        "ChannelConnectInput",
        "A new channel; its platform is the one whose credentials are given.",
        {
            "name": input_field(str, "Free, unique; the command line calls it by this."),
            "credentials": input_field(inputs.credentials, "The platform, and how to log in."),
            **_common(inputs),
        },
    )

    @mutation(
        ChannelPayload,
        made,
        description="Connect an account: it is checked before anything is saved.",
        scope=Scope.ADMIN,
    )
    async def channel_connect(info: Info, given: Any) -> ChannelPayload:
        context = info.context
        login = chosen(given.credentials, context.deps.platforms)
        stated = {
            name: getattr(given, name)
            for name in ("our_identifier", "their_identifier", "policy", "buffer", "cap")
            if getattr(given, name) not in (None, strawberry.UNSET)
        }
        if given.guard not in (None, strawberry.UNSET):
            stated["guard"] = given.guard.values()
        new = NewChannel(
            name=given.name,
            platform=login.platform,
            credentials=login.values,
            settings=_settings(getattr(given, "settings", None), context, login.platform),
            **stated,
        )
        number = await commands.connect(context.deps, new, by=context.principal.by)
        return ChannelPayload(channel=await channel_by_id(context, number))

    return channel_connect


def _edit(inputs: PlatformInputs) -> StrawberryField:
    made: InputType = input_type(
        "ChannelEditInput",
        "What is left out stays as it is.",
        {
            "id": input_field(ID),
            "name": input_field(str, optional=True),
            "retention_days": input_field(
                int,
                "Keep the personal data of orders 30, 60 or 90 days after the last shipment or the "
                "cancellation; null: for good.",
                optional=True,
            ),
            **_common(inputs),
        },
    )

    @mutation(ChannelPayload, made, description="Change a channel's name, settings or limits.")
    async def channel_edit(info: Info, given: Any) -> ChannelPayload:
        context = info.context
        number, platform = await _channel(context, given.id)
        settings = getattr(given, "settings", strawberry.UNSET)
        guard = given.guard
        edit = ChannelEdit(
            name=_required(given.name, "name"),
            policy=_required(given.policy, "policy"),
            our_identifier=_required(given.our_identifier, "our_identifier"),
            their_identifier=_required(given.their_identifier, "their_identifier"),
            buffer=_required(given.buffer, "buffer"),
            cap=_set(given.cap),
            retention_days=_set(given.retention_days),
            guard=UNSET if guard in (None, strawberry.UNSET) else guard.values(),
            settings=UNSET
            if settings in (None, strawberry.UNSET)
            else _settings(settings, context, platform),
        )
        await commands.edit(context.deps, number, edit, by=context.principal.by)
        return await _payload(context, number)

    return channel_edit


def _reconnect(inputs: PlatformInputs) -> StrawberryField:
    made: InputType = input_type(
        "ChannelReconnectInput",
        "New credentials for the same account.",
        {
            "id": input_field(ID),
            "credentials": input_field(inputs.credentials, "The platform, and how to log in."),
        },
    )

    @mutation(
        ChannelPayload,
        made,
        description="Replace the credentials; links and mappings stay. Another account is refused.",
        scope=Scope.ADMIN,
    )
    async def channel_reconnect(info: Info, given: Any) -> ChannelPayload:
        context = info.context
        number, platform = await _channel(context, given.id)
        login = chosen(given.credentials, context.deps.platforms)
        if login.platform != platform:
            raise refuse(
                "INVALID",
                f"These are credentials for {login.platform}; the channel is on {platform}.",
                "credentials",
            )
        await commands.reconnect(context.deps, number, login.values, by=context.principal.by)
        return await _payload(context, number)

    return channel_reconnect


async def _channel(context: Context, given: str) -> tuple[int, str]:
    """Number and platform of a channel that has to exist."""
    number = number_of(given, Kind.CHANNEL)
    row = await context.load.channel.load(number)
    if row is None:
        raise refuse("NOT_FOUND", "There is no channel with this id.", "id")
    return number, row.platform.name


async def _payload(context: Context, number: int) -> ChannelPayload:
    context.forget()
    return ChannelPayload(channel=await channel_by_id(context, number))


@mutation(
    ChannelCheckPayload,
    ChannelInput,
    description="Ask the platform now whether the credentials work and for which account.",
)
async def channel_check(info: Info, given: ChannelInput) -> ChannelCheckPayload:
    """Check the account."""
    context = info.context
    number = number_of(given.id, Kind.CHANNEL)
    await commands.check(context.deps, number, by=context.principal.by)
    channel = await channel_by_id(context, number)
    return ChannelCheckPayload(
        channel=channel, account=None if channel is None else Account.from_row(channel.row)
    )


@mutation(ChannelPayload, ChannelInput, description="Pause a channel: nothing is sent to it.")
async def channel_pause(info: Info, given: ChannelInput) -> ChannelPayload:
    """Pause a channel."""
    context = info.context
    number = number_of(given.id, Kind.CHANNEL)
    await commands.pause(context.deps, number, by=context.principal.by)
    return await _payload(context, number)


@mutation(ChannelPayload, ChannelInput, description="Let a paused channel go on.")
async def channel_resume(info: Info, given: ChannelInput) -> ChannelPayload:
    """Resume a channel."""
    context = info.context
    number = number_of(given.id, Kind.CHANNEL)
    await commands.resume(context.deps, number, by=context.principal.by)
    return await _payload(context, number)


@mutation(
    ChannelPayload,
    ChannelInput,
    description="Remove a channel: its history stays, nothing is written to the store.",
    scope=Scope.ADMIN,
)
async def channel_remove(info: Info, given: ChannelInput) -> ChannelPayload:
    """Remove a channel."""
    context = info.context
    number = number_of(given.id, Kind.CHANNEL)
    await commands.remove(context.deps, number, by=context.principal.by)
    return await _payload(context, number)


def channel_mutations(inputs: PlatformInputs) -> tuple[StrawberryField, ...]:
    """Every mutation of channels, with the inputs of these platforms."""
    return (
        _connect(inputs),
        _edit(inputs),
        _reconnect(inputs),
        channel_check,
        channel_pause,
        channel_resume,
        channel_remove,
    )


__all__ = ["channel_mutations"]

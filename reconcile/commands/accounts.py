"""Asks a platform who the given credentials speak for; nothing is stored here.

Runs before a transaction is opened: a platform may take its time to answer.
"""

from collections.abc import Mapping
from typing import Any

from reconcile.commands.errors import CommandError, refuse
from reconcile.contract import (
    AccountInfo,
    AdapterError,
    Platform,
    UnauthorizedError,
    UnavailableError,
)
from reconcile.deps import Deps
from reconcile.store.channels import settings_from


def refusal(platform: Platform, error: AdapterError) -> CommandError:
    """The platform's own reason as the answer to a command."""
    if isinstance(error, UnauthorizedError):
        message = f"{platform.title} refused the credentials: {error.message}"
        return refuse("UNAUTHORIZED", message, "credentials")
    if isinstance(error, UnavailableError):
        message = f"{platform.title} could not be reached: {error.message}"
        return refuse("UNAVAILABLE", message, "credentials")
    message = f"{platform.title} could not be checked: {error.message}"
    return refuse("NOT_CONNECTED", message, "credentials")


async def ask(
    deps: Deps,
    platform: Platform,
    credentials: Mapping[str, Any],
    settings: Mapping[str, Any],
    *,
    channel_id: int = 0,
    account: AccountInfo | None = None,
) -> AccountInfo:
    """The account behind stored-form credentials; raises `AdapterError` or `CommandError`."""
    typed = settings_from(platform.credentials, credentials)
    try:
        platform.base_url(typed)
    except ValueError as error:
        raise refuse("INVALID", str(error), "credentials") from None
    adapter = platform.connect(
        typed,
        settings_from(platform.settings, settings),
        account,
        deps.transport(channel_id, platform, None),
    )
    try:
        return await adapter.connect_check()
    finally:
        await adapter.aclose()

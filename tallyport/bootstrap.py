"""The first tokens of an instance, made on the machine itself: no API can be asked without one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from reconcile.commands import tokens
from reconcile.commands.tokens import NewToken, Scope
from reconcile.deps import Deps
from reconcile.store.tokens import TokenRow, list_tokens

FIRST_NAME = "first admin"
LOCAL_NAME = "command line on this machine"
_BY = "tallyport up"
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Tokens:
    """What `up` needs: a token for this machine, and the first admin token when it is new."""

    local: str = field(repr=False)
    first: str | None = field(default=None, repr=False)


async def first_tokens(deps: Deps, known_local: str | None) -> Tokens:
    """Keep the local token if it still opens the API, else make one; make the first one once."""
    existing = await every_token(deps)
    first = None
    if not any(row.name != LOCAL_NAME for row in await every_token(deps, include_revoked=True)):
        first = (await tokens.create(deps, FIRST_NAME, [Scope.ADMIN], by=_BY)).secret
    if known_local is not None:
        known = await tokens.authenticate(deps, known_local)
        if known is not None and Scope.ADMIN in known.scopes:
            return Tokens(known_local, first)
    for row in existing:
        if row.name == LOCAL_NAME:  # its secret is lost with the file
            await tokens.revoke(deps, row.id, by=_BY)
    local: NewToken = await tokens.create(deps, LOCAL_NAME, [Scope.ADMIN], by=_BY)
    return Tokens(local.secret, first)


async def every_token(deps: Deps, *, include_revoked: bool = False) -> Sequence[TokenRow]:
    """All tokens, oldest first."""
    rows: list[TokenRow] = []
    async with deps.engine.connect() as conn:
        while True:
            after = rows[-1].id if rows else None
            page = await list_tokens(conn, after, _PAGE, include_revoked=include_revoked)
            rows += page.rows
            if not page.has_next:
                return rows

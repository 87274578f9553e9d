"""Access tokens: who may do what. The secret is shown once, by the mutation that creates it."""

from datetime import datetime

import strawberry

from api.access import MutationPayload, mutation, require
from api.context import Context, Info
from api.fields import resolver
from api.ids import Kind, encode, number_of
from api.nodes import Node
from api.paging import After, Connection, First, connection, page_request
from reconcile.commands import tokens as commands
from reconcile.commands.tokens import Scope
from reconcile.store.tokens import TokenRow, list_tokens, tokens_by_ids


@strawberry.type(description="An access token; its secret is readable nowhere.")
class Token(Node):
    """Name, scopes and use of a token."""

    name: str
    hint: str = strawberry.field(description="Its first characters, to tell tokens apart.")
    scopes: list[Scope]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def from_row(cls, row: TokenRow) -> "Token":
        """The token as the API shows it."""
        return cls(
            id=strawberry.ID(encode(Kind.TOKEN, row.id)),
            name=row.name,
            hint=row.hint,
            scopes=[Scope(each) for each in row.scopes],
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            revoked_at=row.revoked_at,
        )


async def token_by_id(context: Context, number: int) -> Token | None:
    """The token of that number, if there is one; only its own without scope admin."""
    if number != context.principal.token_id:
        require(context, Scope.ADMIN, "tokens")
    found = await context.reads(tokens_by_ids, [number])
    return Token.from_row(found[number]) if number in found else None


@resolver(description="The token of this request.")
async def viewer(info: Info) -> Token | None:
    """Who asks, and what they may do."""
    return await token_by_id(info.context, info.context.principal.token_id)


@resolver(description="Access tokens (scope admin).")
async def tokens(
    info: Info, first: First = 25, after: After = None, include_revoked: bool = False
) -> Connection[Token]:
    """A page of tokens."""
    require(info.context, Scope.ADMIN, "tokens")
    request = page_request(first, after)
    page = await info.context.reads(
        list_tokens, request.after, request.first, include_revoked=include_revoked
    )
    return connection(
        [(row.id, Token.from_row(row)) for row in page.rows],
        request=request,
        has_next=page.has_next,
    )


@strawberry.input
class TokenCreateInput:
    """A new token."""

    name: str
    scopes: list[Scope] = strawberry.field(
        description="READ, WRITE (includes READ) or ADMIN (includes both)."
    )


@strawberry.type
class TokenCreatePayload(MutationPayload):
    """The new token and its secret."""

    token: Token | None = None
    secret: str | None = strawberry.field(
        default=None, description="Shown this once: `Authorization: Bearer <secret>`."
    )


@mutation(
    TokenCreatePayload,
    TokenCreateInput,
    description="Create an access token; its secret is in the answer and nowhere else.",
    scope=Scope.ADMIN,
)
async def token_create(info: Info, given: TokenCreateInput) -> TokenCreatePayload:
    """Create a token."""
    context = info.context
    made = await commands.create(context.deps, given.name, given.scopes, by=context.principal.by)
    return TokenCreatePayload(token=await token_by_id(context, made.token_id), secret=made.secret)


@strawberry.input
class TokenRevokeInput:
    """The token to revoke."""

    id: strawberry.ID


@strawberry.type
class TokenRevokePayload(MutationPayload):
    """The revoked token."""

    token: Token | None = None


@mutation(
    TokenRevokePayload,
    TokenRevokeInput,
    description="Revoke a token at once and for ever.",
    scope=Scope.ADMIN,
)
async def token_revoke(info: Info, given: TokenRevokeInput) -> TokenRevokePayload:
    """Revoke a token."""
    context = info.context
    number = number_of(given.id, Kind.TOKEN)
    await commands.revoke(context.deps, number, by=context.principal.by)
    return TokenRevokePayload(token=await token_by_id(context, number))


MUTATIONS = (token_create, token_revoke)

__all__ = ["MUTATIONS", "Token", "token_by_id", "tokens", "viewer"]

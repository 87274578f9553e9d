"""API tokens as the API shows them: everything but the secret, which is stored nowhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from reconcile.store.page import Page, one_of, read_page, read_rows
from reconcile.store.tables import tokens


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One token; `hint` is how its secret begins."""

    id: int
    name: str
    hint: str
    scopes: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


_COLUMNS = (
    tokens.c.id,
    tokens.c.name,
    tokens.c.hint,
    tokens.c.scopes,
    tokens.c.created_at,
    tokens.c.last_used_at,
    tokens.c.revoked_at,
)


def _token(row: RowMapping) -> TokenRow:
    return TokenRow(**{**row, "scopes": tuple(row["scopes"])})


async def list_tokens(
    conn: AsyncConnection, after: int | None, limit: int, *, include_revoked: bool = False
) -> Page[TokenRow]:
    """Tokens in the order they were made."""
    statement = select(*_COLUMNS)
    if not include_revoked:
        statement = statement.where(tokens.c.revoked_at.is_(None))
    return await read_page(conn, statement, tokens.c.id, after, limit, _token)


async def tokens_by_ids(conn: AsyncConnection, ids: Sequence[int]) -> dict[int, TokenRow]:
    """The tokens of these ids."""
    rows = await read_rows(conn, select(*_COLUMNS).where(one_of(tokens.c.id, ids)), _token)
    return {row.id: row for row in rows}

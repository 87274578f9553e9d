"""API tokens: made once, stored as a hash, revoked; and who a token speaks for."""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

import structlog
from sqlalchemy import insert, or_, select, update

from reconcile.commands.errors import refuse
from reconcile.deps import Deps
from reconcile.store.tables import tokens

_log = structlog.get_logger(__name__)

PREFIX = "tp_"
_SEEN_EVERY = timedelta(minutes=1)


class Scope(StrEnum):
    """What a token may do; each includes the ones before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


_ORDER = (Scope.READ, Scope.WRITE, Scope.ADMIN)


def allows(scopes: Collection[Scope], needed: Scope) -> bool:
    """Whether one of the scopes is the needed one or includes it."""
    return any(_ORDER.index(scope) >= _ORDER.index(needed) for scope in scopes)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made; its secret is shown now and never again."""

    token_id: int
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authenticated:
    """Who a request comes from."""

    id: int
    name: str
    scopes: frozenset[Scope]


def _hash(secret: str) -> bytes:
    # 256 random bits need no salt and no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode()).digest()


async def create(deps: Deps, name: str, scopes: Sequence[Scope], *, by: str) -> NewToken:
    """Make a token with these scopes."""
    if not name.strip() or not name.isprintable() or len(name) > 100:
        raise refuse("INVALID", "A token needs a name of at most 100 characters.", "name")
    if not scopes:
        raise refuse("INVALID", "A token needs a scope: read, write or admin.", "scopes")
    secret = PREFIX + secrets.token_urlsafe(32)
    values = {
        "name": name.strip(),
        "hash": _hash(secret),
        "hint": secret[: len(PREFIX) + 4],
        "scopes": [scope.value for scope in _ORDER if scope in scopes],
        "created_at": deps.clock(),
    }
    async with deps.engine.begin() as conn:
        token_id: int = (
            await conn.execute(insert(tokens).values(values).returning(tokens.c.id))
        ).scalar_one()
    _log.info("token_created", token_id=token_id, name=name, by=by)
    return NewToken(token_id, secret)


async def revoke(deps: Deps, token_id: int, *, by: str) -> None:
    """The token opens nothing from now on."""
    async with deps.engine.begin() as conn:
        found = (
            await conn.execute(
                select(tokens.c.revoked_at).where(tokens.c.id == token_id).with_for_update()
            )
        ).one_or_none()
        if found is None:
            raise refuse("NOT_FOUND", "There is no such token.", "token_id")
        if found.revoked_at is not None:
            raise refuse("WRONG_STATE", "The token is revoked already.", "token_id")
        await conn.execute(
            update(tokens).where(tokens.c.id == token_id).values(revoked_at=deps.clock())
        )
    _log.info("token_revoked", token_id=token_id, by=by)


async def authenticate(deps: Deps, secret: str) -> Authenticated | None:
    """Who the secret speaks for; None where it is unknown or revoked."""
    if not secret.startswith(PREFIX):
        return None
    now = deps.clock()
    async with deps.engine.connect() as conn:
        row = (
            await conn.execute(
                select(tokens).where(tokens.c.hash == _hash(secret), tokens.c.revoked_at.is_(None))
            )
        ).one_or_none()
        if row is None:
            return None
        if row.last_used_at is None or row.last_used_at <= now - _SEEN_EVERY:
            earlier = tokens.c.last_used_at
            await conn.execute(
                update(tokens)
                .where(tokens.c.id == row.id, or_(earlier.is_(None), earlier < now))
                .values(last_used_at=now)
            )
            await conn.commit()
    return Authenticated(row.id, row.name, frozenset(Scope(scope) for scope in row.scopes))

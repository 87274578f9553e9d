"""API tokens: made, used, revoked; their secrets are stored nowhere."""

from datetime import timedelta

import pytest

from reconcile.commands.errors import CommandError
from reconcile.commands.tokens import Scope, allows, authenticate, create, revoke
from reconcile.store.tokens import list_tokens, tokens_by_ids
from tests.reconcile.commands.shop import Shop, codes

pytestmark = pytest.mark.anyio


async def test_secret_opens_until_revoked(stores: Shop) -> None:
    """A token speaks for its scopes, and for nothing once it is revoked."""
    made = await create(stores.deps, "ci", [Scope.WRITE, Scope.READ], by="me")
    assert made.secret.startswith("tp_")
    assert made.secret not in repr(made)

    who = await authenticate(stores.deps, made.secret)
    assert who is not None
    assert (who.id, who.name, who.scopes) == (made.token_id, "ci", {Scope.READ, Scope.WRITE})
    assert await authenticate(stores.deps, made.secret + "x") is None
    assert await authenticate(stores.deps, "something") is None

    await revoke(stores.deps, made.token_id, by="me")
    assert await authenticate(stores.deps, made.secret) is None
    with pytest.raises(CommandError) as raised:
        await revoke(stores.deps, made.token_id, by="me")
    assert codes(raised.value) == [("WRONG_STATE", ("token_id",))]


async def test_secret_is_stored_as_a_hash_only(stores: Shop) -> None:
    """What is stored does not open anything."""
    made = await create(stores.deps, "ci", [Scope.READ], by="me")
    row = (await stores.rows("SELECT * FROM tokens"))[0]
    assert made.secret not in str(dict(row))
    async with stores.deps.engine.connect() as conn:
        page = await list_tokens(conn, None, 10)
        by_id = await tokens_by_ids(conn, [made.token_id, 99])
    assert page.rows == (by_id[made.token_id],)
    assert made.secret.startswith(page.rows[0].hint)


async def test_use_is_noted_once_a_minute(stores: Shop) -> None:
    """A busy token does not write on every request."""
    made = await create(stores.deps, "ci", [Scope.READ], by="me")

    async def last_used() -> object:
        rows = await stores.rows("SELECT last_used_at FROM tokens")
        return rows[0]["last_used_at"]

    await authenticate(stores.deps, made.secret)
    first = await last_used()
    await authenticate(stores.deps, made.secret)
    assert await last_used() == first
    stores.clock.shift = timedelta(minutes=2)
    await authenticate(stores.deps, made.secret)
    assert await last_used() != first


async def test_a_token_needs_a_name_and_a_scope(stores: Shop) -> None:
    """A token nobody can tell apart, or that may nothing, is refused."""
    with pytest.raises(CommandError):
        await create(stores.deps, " ", [Scope.READ], by="me")
    with pytest.raises(CommandError):
        await create(stores.deps, "ci", [], by="me")
    with pytest.raises(CommandError) as raised:
        await revoke(stores.deps, 77, by="me")
    assert codes(raised.value) == [("NOT_FOUND", ("token_id",))]


def test_scopes_include_the_lesser_ones() -> None:
    """Admin may write, write may read, never the other way round."""
    assert allows({Scope.ADMIN}, Scope.WRITE)
    assert allows({Scope.WRITE}, Scope.READ)
    assert not allows({Scope.READ}, Scope.WRITE)
    assert not allows(set(), Scope.READ)

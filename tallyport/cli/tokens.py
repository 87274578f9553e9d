"""`token`: create, list and revoke tokens.

Works on the database directly where no `--url` is given, because the first token cannot be asked
for with a token; with `--url` through the API.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from tallyport.cli.session import Session, command
from tallyport.client import Json, Refusal, RefusedError
from tallyport.logs import configure_logs

if TYPE_CHECKING:
    from reconcile.deps import Deps

_BY = "command line"
_FIELDS = "id name hint scopes createdAt lastUsedAt revokedAt"

Answer = TypeVar("Answer")


class ScopeName(StrEnum):
    """What a token may do; the runtime's own enum would load all of it for every command."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    command(app, "create")(create)
    command(app, "list")(list_)
    command(app, "revoke")(revoke)


def create(
    session: Session,
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the token is for.")],
    scope: Annotated[
        list[ScopeName] | None,
        typer.Option("--scope", help="What it may do; may be repeated. Default: read."),
    ] = None,
) -> None:
    """Create a token and print it; it is shown only now."""
    scopes: list[str] = [each.value for each in scope or [ScopeName.READ]]
    if session.names_an_api:
        payload = session.api.mutate(
            f"mutation ($input: TokenCreateInput!) {{ tokenCreate(input: $input)"
            f" {{ token {{ {_FIELDS} }} secret userErrors {{ code message path }} }} }}",
            {"input": {"name": name, "scopes": [each.upper() for each in scopes]}},
        )
        secret = payload["secret"]
    else:

        async def make(deps: "Deps") -> str:
            from reconcile.commands import tokens  # noqa: PLC0415 - loads the whole runtime

            chosen = [tokens.Scope(each) for each in scopes]
            return (await tokens.create(deps, name, chosen, by=_BY)).secret

        secret = _direct(session, make)
    session.out.answer({"name": name, "token": secret, "scopes": scopes})
    session.out.say(secret)
    session.out.note("Keep it: it is shown only now.")


def list_(
    session: Session,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Revoked ones too.")] = False,
) -> None:
    """List tokens; what they are is shown nowhere."""
    if session.names_an_api:
        rows = list(
            session.api.pages(
                "query ($after: String, $all: Boolean!) { tokens(first: 100, after: $after,"
                f" includeRevoked: $all) {{ nodes {{ {_FIELDS} }}"
                " pageInfo { hasNextPage endCursor } } }",
                {"all": everything},
                ("tokens",),
            )
        )
    else:
        rows = _direct(session, lambda deps: _listed(deps, everything=everything))
    session.out.answer(rows)
    session.out.table(
        ["Id", "Name", "Begins with", "Scopes", "Created", "Last used", "Revoked"],
        [
            [
                str(row["id"]),
                row["name"],
                row["hint"],
                ", ".join(str(each).lower() for each in row["scopes"]),
                row["createdAt"],
                row["lastUsedAt"],
                row["revokedAt"],
            ]
            for row in rows
        ],
    )


def revoke(
    session: Session,
    *,
    chosen: Annotated[str, typer.Argument(metavar="ID_OR_NAME", help="As `token list` shows it.")],
) -> None:
    """Revoke a token; it opens nothing any more."""
    if session.names_an_api:
        token_id = _chosen(session, _remote_tokens(session), chosen)["id"]
        session.api.mutate(
            "mutation ($input: TokenRevokeInput!) { tokenRevoke(input: $input)"
            " { token { id } userErrors { code message path } } }",
            {"input": {"id": token_id}},
        )
    else:

        async def end(deps: "Deps") -> None:
            from reconcile.commands import tokens  # noqa: PLC0415 - same

            rows = await _listed(deps, everything=False)
            await tokens.revoke(deps, int(_chosen(session, rows, chosen)["id"]), by=_BY)

        _direct(session, end)
    session.out.answer({"revoked": chosen})
    session.out.say(f"{chosen} is revoked.")


def _remote_tokens(session: Session) -> Sequence[Mapping[str, Json]]:
    document = (
        "query ($after: String) { tokens(first: 100, after: $after)"
        " { nodes { id name } pageInfo { hasNextPage endCursor } } }"
    )
    return list(session.api.pages(document, {}, ("tokens",)))


def _chosen(
    session: Session, rows: Sequence[Mapping[str, Json]], wanted: str
) -> Mapping[str, Json]:
    found = [row for row in rows if wanted in (str(row["id"]), row["name"])]
    if not found:
        raise session.fail(
            f"There is no token {wanted}; `token list` shows them.", code="NOT_FOUND"
        )
    if len(found) > 1:
        raise session.fail(f"Several tokens are named {wanted}; give the id.", code="CONFLICT")
    return found[0]


async def _listed(deps: "Deps", *, everything: bool) -> list[Mapping[str, Json]]:
    from tallyport.bootstrap import every_token  # noqa: PLC0415 - same

    return [
        {
            "id": str(row.id),
            "name": row.name,
            "hint": row.hint,
            "scopes": list(row.scopes),
            "createdAt": _moment(row.created_at),
            "lastUsedAt": _moment(row.last_used_at),
            "revokedAt": _moment(row.revoked_at),
        }
        for row in await every_token(deps, include_revoked=everything)
    ]


def _moment(value: object) -> str | None:
    return None if value is None else str(value)[:19]


def _direct(session: Session, work: "Callable[[Deps], Awaitable[Answer]]") -> Answer:
    """Do the work on this machine's database, which is brought up to date first."""
    from reconcile.commands.errors import CommandError  # noqa: PLC0415 - same
    from tallyport.migrate import upgrade  # noqa: PLC0415 - same
    from tallyport.services import open_services  # noqa: PLC0415 - same
    from tallyport.wiring import open_deps  # noqa: PLC0415 - same

    # Left alone, logs would go to standard output, which belongs to the answer.
    configure_logs("warning")

    async def run() -> Answer:
        async with open_deps(session.settings, services) as deps:
            return await work(deps)

    with open_services(session.settings) as services:
        upgrade(services.database_url)
        try:
            return asyncio.run(run())
        except CommandError as error:
            problems = tuple(Refusal(each.code, each.message, each.path) for each in error.problems)
            raise RefusedError(problems) from error

"""Errors of the API: what a client did wrong is said, what we did wrong is masked.

Two shapes. `userErrors` in a mutation's payload say why a command was refused. Top-level errors
are faults of the client (`UserFaultError`, and what graphql-core says about a document) or of the
server: those are replaced by an id that stands in the log. Neither shape repeats values of the
request, which may be credentials.
"""

from collections.abc import Iterable

import strawberry
from graphql import GraphQLError

from reconcile.commands.errors import Problem


class UserFaultError(GraphQLError):
    """A top-level error that is the client's fault and is shown as it is."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message, extensions={"code": code})


@strawberry.type(
    description="Why a mutation did not do what was asked; what this is about was not changed."
)
class UserError:
    """One reason a command was refused."""

    code: str = strawberry.field(
        description="What a program branches on: NOT_FOUND, INVALID, WRONG_STATE, UNSUPPORTED, "
        "CONFLICT, UNAUTHORIZED, BAD_ID, ..."
    )
    message: str = strawberry.field(description="What is wrong and what to do about it.")
    path: list[str] = strawberry.field(
        description="Where in the mutation's arguments, e.g. `[input, credentials, consumerKey]`."
    )


def camel(name: str) -> str:
    """A Python name as GraphQL writes it."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def user_errors(problems: Iterable[Problem]) -> list[UserError]:
    """The problems of a refused command as the payload shows them."""
    return [
        UserError(
            code=problem.code,
            message=problem.message,
            path=["input", *(camel(part) for part in problem.path)],
        )
        for problem in problems
    ]

"""`POST /graphql`: one operation per request, JSON in and out."""

import re
from typing import Any

from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response
from strawberry import Schema
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.types.graphql import OperationType

from api.context import BudgetReader, Context, no_budget
from api.http import Endpoint, HttpFaultError, answer, guarded, json_object, principal_of, read_body
from api.limits import Limits
from reconcile.deps import Deps

_NUL = re.compile(rb"\\u(?:0000|\{0+\})")
"""The one character that PostgreSQL cannot store, in JSON or in the GraphQL inside it."""


def graphql_route(
    deps: Deps, schema: Schema, limits: Limits, budget: BudgetReader = no_budget
) -> Endpoint:
    """The endpoint that executes operations of the schema."""

    @guarded
    async def execute(request: Request) -> Response:
        principal = await principal_of(request, deps)
        query, variables, name = await _question(request, limits)
        try:
            result = await schema.execute(
                query,
                variable_values=variables,
                operation_name=name,
                context_value=Context(deps, principal, budget),
                allowed_operation_types=(OperationType.QUERY, OperationType.MUTATION),
            )
        except CannotGetOperationTypeError:
            raise HttpFaultError(
                400,
                "BAD_REQUEST",
                "The document does not say which operation to run: "
                "it has none, or several and no valid `operationName`.",
            ) from None
        content: dict[str, Any] = {"data": result.data}
        if result.errors:
            content["errors"] = [_formatted(error) for error in result.errors]
        return answer(content)

    return execute


def _formatted(error: GraphQLError) -> dict[str, Any]:
    """An error as JSON; `formatted` has a type of its own, hence `Any`."""
    return dict(error.formatted)


async def _question(
    request: Request, limits: Limits
) -> tuple[str, dict[str, Any] | None, str | None]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HttpFaultError(
            415, "UNSUPPORTED_MEDIA_TYPE", "Send JSON: `Content-Type: application/json`."
        )
    body = await read_body(request, limits.body_bytes)
    if _NUL.search(body):
        raise HttpFaultError(400, "BAD_REQUEST", "Text must not contain the character NUL.")
    content = json_object(body)
    query = content.get("query")
    variables = content.get("variables")
    name = content.get("operationName")
    if not isinstance(query, str) or not query.strip():
        raise HttpFaultError(400, "BAD_REQUEST", "`query` must hold a GraphQL document.")
    if variables is not None and not isinstance(variables, dict):
        raise HttpFaultError(400, "BAD_REQUEST", "`variables` must be an object.")
    if name is not None and not isinstance(name, str):
        raise HttpFaultError(400, "BAD_REQUEST", "`operationName` must be text.")
    return query, variables, name

"""Scopes, and what every mutation has in common: one input, one payload, refusals inside it."""

import functools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import strawberry
from strawberry.types.field import StrawberryField

from api.context import Context, Info
from api.faults import UserError, UserFaultError, user_errors
from api.ids import BadIdError
from reconcile.commands.errors import CommandError, Problem
from reconcile.commands.tokens import Scope, allows


def allowed(context: Context, needed: Scope) -> bool:
    """Whether the token of the request includes a scope."""
    return allows(context.principal.scopes, needed)


def require(context: Context, needed: Scope, what: str) -> None:
    """Refuse what the token of the request may not do."""
    if not allowed(context, needed):
        raise UserFaultError(
            f"`{what}` needs a token with scope {needed.value}; this one has "
            f"{', '.join(sorted(context.principal.scopes)) or 'none'}. "
            "Create one with `tallyport token create` or the mutation `tokenCreate`.",
            code="FORBIDDEN",
        )


@strawberry.interface(description="What a mutation answers.")
class MutationPayload:
    """The outcome of a command."""

    user_errors: list[UserError] = strawberry.field(
        default_factory=list,
        description="Why it was refused; empty where it was done.",
    )


Payload = TypeVar("Payload", bound=MutationPayload)
Resolver = Callable[[Info, Any], Awaitable[Payload]]


def mutation(
    payload: type[Payload],
    input_type: type,
    *,
    description: str,
    scope: Scope = Scope.WRITE,
) -> Callable[[Resolver[Payload]], StrawberryField]:
    """Make a mutation of a resolver that takes `(info, given)`.

    Refusals become `userErrors`; everything else that is raised is a fault and is masked. The
    class of the input is passed along because some are generated from the registry.
    """

    def decorate(resolver: Resolver[Payload]) -> StrawberryField:
        @functools.wraps(resolver)
        async def resolve(info: Any, input: Any) -> Payload:  # noqa: A002 - its name in GraphQL
            require(info.context, scope, info.field_name)
            try:
                return await resolver(info, input)
            except CommandError as error:
                return _refused(payload, input, error.problems)
            except BadIdError as error:
                return _refused(payload, input, [Problem("BAD_ID", error.message)])
            finally:
                info.context.forget()

        # What strawberry reads the signature from; `wraps` points it at the inner function.
        del resolve.__wrapped__
        resolve.__annotations__ = {
            "info": strawberry.Info,
            "input": input_type,
            "return": payload | None,
        }
        made: StrawberryField = strawberry.mutation(resolver=resolve, description=description)
        return made

    return decorate


def _refused(payload: type[Payload], given: object, problems: Iterable[Problem]) -> Payload:
    placed = [replace(problem, path=_place(given, problem.path)) for problem in problems]
    return payload(user_errors=user_errors(placed))


def _place(given: object, path: Sequence[str]) -> tuple[str, ...]:
    """A command's path as a path into the mutation's input.

    Commands name their own parameters, and know nothing of the choice of a platform that stands
    between `credentials` and its fields.
    """
    place: list[str] = []
    where = given
    for part in path:
        if isinstance(where, list) and part.isdigit() and int(part) < len(where):
            place.append(part)
            where = where[int(part)]
            continue
        chosen = _chosen_member(where)
        if chosen is not None:
            place.append(chosen)
            where = getattr(where, chosen)
        name = _name_in(where, part)
        place.append(name)
        where = getattr(where, name, None)
    return tuple(place)


def _chosen_member(where: object) -> str | None:
    """The member that is set in a `@oneOf` input."""
    definition = getattr(where, "__strawberry_definition__", None)
    if definition is None or not definition.is_one_of:
        return None
    stated = (name for name, value in vars(where).items() if value not in (None, strawberry.UNSET))
    return next(stated, None)


def _name_in(where: object, name: str) -> str:
    """What an input calls a parameter of a command."""
    known = getattr(where, "__dict__", {})
    plain = name.removesuffix("_id")
    others = (plain, f"{name.removesuffix('_ids')}s", f"is_{name}", "id" if plain != name else name)
    return next((each for each in (name, *others) if each in known), name)

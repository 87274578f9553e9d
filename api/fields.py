"""The decorator for fields that a function resolves; typed, which the library's own is not."""

from collections.abc import Callable
from typing import Any

import strawberry
from strawberry.types.field import StrawberryField


def resolver(description: str | None = None) -> Callable[[Callable[..., Any]], StrawberryField]:
    """Make a field of a function; its parameters and result are read from its annotations."""

    def decorate(function: Callable[..., Any]) -> StrawberryField:
        made: StrawberryField = strawberry.field(resolver=function, description=description)
        return made

    return decorate

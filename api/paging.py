"""Cursor connections: every list of the API that can grow is one of these.

Keyset paging over ids, forwards. A page costs one statement; `totalCount` costs another one, and
only when it is asked for.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

import strawberry

from api.faults import UserFaultError
from api.fields import resolver
from api.ids import decode_cursor, encode_cursor
from api.limits import PAGE_DEFAULT, PAGE_MAXIMUM

NodeType = TypeVar("NodeType")

First = Annotated[
    int,
    strawberry.argument(description=f"Objects on the page, 1 to {PAGE_MAXIMUM}."),
]
After = Annotated[
    str | None,
    strawberry.argument(description="`pageInfo.endCursor` of the page before; none: the start."),
]


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page of a list is asked for."""

    first: int = PAGE_DEFAULT
    after: int | None = None
    """Id of the last object of the page before."""


def page_request(first: int, after: str | None) -> PageRequest:
    """A checked page request; says what is wrong with a bad one."""
    if not 1 <= first <= PAGE_MAXIMUM:
        raise UserFaultError(
            f"`first` is {first}; it must be between 1 and {PAGE_MAXIMUM}. "
            "Read further pages with `after`.",
            code="BAD_PAGE",
        )
    return PageRequest(first, decode_cursor(after))


@strawberry.type(description="Where a page ends and whether there is another one.")
class PageInfo:
    """Position of a page in its list."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class Edge(Generic[NodeType]):
    """An object with its position in the list."""

    node: NodeType
    cursor: str


@strawberry.type
class Connection(Generic[NodeType]):
    """A page of a list."""

    nodes: list[NodeType]
    edges: list[Edge[NodeType]]
    page_info: PageInfo
    count: strawberry.Private[Callable[[], Awaitable[int]] | None] = None

    @resolver(
        description="Objects in the whole list, counted only when asked for; null where it is not "
        "counted."
    )
    async def total_count(self) -> int | None:
        """Count the whole list."""
        return None if self.count is None else await self.count()


def connection(
    nodes: Sequence[tuple[int, NodeType]],
    *,
    request: PageRequest,
    has_next: bool,
    count: Callable[[], Awaitable[int]] | None = None,
) -> Connection[NodeType]:
    """The page of these objects, each with the id that is its position."""
    edges = [Edge(node=node, cursor=encode_cursor(number)) for number, node in nodes]
    return Connection(
        nodes=[node for _, node in nodes],
        edges=edges,
        page_info=PageInfo(
            has_next_page=has_next,
            has_previous_page=request.after is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
        count=count,
    )

"""Requests and answers of the simulated REST API: PHP's parameters, routes, selected fields."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from adapters.sandbox import Json
from adapters.woocommerce.sandbox.fields import Arg
from adapters.woocommerce.sandbox.options import Key

Pairs = list[tuple[str, str]]
_INPUT_LIMIT = 1000


@dataclass(slots=True)
class Call:
    """One request, after its parameters were merged and, for single things, checked."""

    method: str
    base: str
    path: str
    params: dict[str, Json]
    query: dict[str, Json]
    ids: dict[str, int]
    key: Key | None = None

    @property
    def edit(self) -> bool:
        """Whether the answer shows things as stored."""
        return self.params.get("context") == "edit"

    @property
    def force(self) -> bool:
        """Whether a delete is for good."""
        return self.params.get("force") is True


@dataclass(slots=True)
class Answer:
    """What a handler answers."""

    content: Json
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: bool = True  # whether permissions can still be asked for, as `Allow` does
    flat: bool = False  # whether `_fields` goes without names that contain dots


Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One handler with its argument table; `checked` is off for batches."""

    methods: tuple[str, ...]
    handler: Handler
    args: Mapping[str, Arg] = field(default_factory=dict)
    action: str = "view"
    defaults: bool = False
    checked: bool = True


class Route:
    """A path of the API, in the notation of WordPress's index of routes."""

    def __init__(self, pattern: str, *endpoints: Endpoint) -> None:
        self.pattern = pattern
        self.endpoints = endpoints
        self._match = re.compile(pattern + "$").match

    def ids(self, path: str) -> dict[str, int] | None:
        """Return the ids in a path of this route; nothing if the path is another's."""
        found = self._match(path)
        if found is None:
            return None
        return {name: int(text) for name, text in found.groupdict().items() if text.isdigit()}

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods of all endpoints."""
        return tuple(method for endpoint in self.endpoints for method in endpoint.methods)


def php_params(pairs: Pairs) -> dict[str, Json]:
    """Read form pairs the way PHP does: `a[]=1&a[]=2` and `a[b]=1` make lists and maps."""
    result: dict[str, Json] = {}
    for name, value in pairs:
        parts = re.findall(r"\[([^\]]*)\]", name)
        first = name.split("[", 1)[0] if parts else name
        _put(result, [first, *parts], value)
    return {name: _listed(value) for name, value in result.items()}


def _put(target: dict[str, Json], path: list[str], value: str) -> None:
    name = path[0] or str(len(target))
    if len(path) == 1:
        target[name] = value
        return
    inner = target.get(name)
    if not isinstance(inner, dict):
        inner = target[name] = {}
    _put(inner, path[1:], value)


def _listed(value: Json) -> Json:
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(entry) for name, entry in value.items()}
    numbered = all(name == str(n) for n, name in enumerate(inner))
    return [*inner.values()] if numbered else inner


def parse_pairs(text: str) -> Pairs:
    """Split a query or form text."""
    return parse_qsl(text, keep_blank_values=True)


def php_query(params: Mapping[str, Json], page: int) -> str:
    """Write the query of another page the way PHP does, lists with numbered names."""
    pairs: dict[str, str] = {}
    waiting: list[tuple[str, Json]] = [*params.items()]
    # PHP reads no more than its limit of variables back, so what follows a long list is lost.
    while waiting and len(pairs) < _INPUT_LIMIT:
        name, value = waiting.pop(0)
        match value:
            case list():
                waiting[:0] = [(f"{name}[{n}]", entry) for n, entry in enumerate(value)]
            case dict():
                waiting[:0] = [(f"{name}[{key}]", entry) for key, entry in value.items()]
            case bool():
                pairs[name] = "1" if value else ""
            case _:
                pairs[name] = "" if value is None else str(value)
    pairs["page"] = str(page)
    # A plus stays one, although it means a blank: the links of the real store are wrong, too.
    return urlencode(pairs).replace("%2B", "+")


def selected(content: Json, fields: Json, *, flat: bool) -> Json:
    """Keep the fields named by `_fields`, with WordPress's own limits inside lists."""
    words = fields if isinstance(fields, list) else str(fields).split(",")
    names = [name for word in words if (name := str(word).strip())]
    if flat:  # a product computes only the fields that are named as they are
        names = [name for name in names if "." not in name] or ["-"]
    if not names:
        return content
    tree: dict[str, Json] = {}
    for name in names:
        node = tree
        *heads, last = name.split(".")
        for head in heads:
            inner = node.get(head)
            if inner is True:
                break
            if not isinstance(inner, dict):
                inner = node[head] = {}
            node = inner
        else:
            node[last] = True
    if isinstance(content, list):
        return [_kept(row, tree) for row in content]
    return _kept(content, tree)


def _kept(content: Json, tree: dict[str, Json]) -> Json:
    if not isinstance(content, dict):
        # A list has numbers for names, and no field is called like a number.
        return [] if isinstance(content, list) else content
    kept: dict[str, Json] = {}
    for name, value in content.items():
        branch = tree.get(name)
        if isinstance(branch, dict) and isinstance(value, dict | list):
            kept[name] = _kept(value, branch)
        elif branch is not None:
            kept[name] = value
    return kept or []

"""Replays recorded exchanges of a real store against the simulated one and compares the answers.

Ids differ between the two stores, so each recorded id is bound to the simulated one where both
first show it, and translated from then on. Time is taken from the recording.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

Json = Any  # recorded bodies are whatever the store said

ORIGIN = "http://127.0.0.1:8090"
UNBOUND = 5_000_000  # added to an id the recording knows and the replay has not met

# Not compared: what shows a page to shoppers, random choices, serial numbers of rows nobody reads.
SCHEMELESS = ("src", "thumbnail")  # the real store thought its uploads were behind TLS
IGNORED = frozenset(
    {"_links", "price_html", "related_ids", "permalink", "permalink_template", "generated_slug"}
    | {"average_rating", "rating_count", "order_key", "payment_url", "total_sales"}
)
# A batch of the real store took seconds; the replay gives it one moment.
TOLERANCE = timedelta(seconds=5)
DATES = re.compile(r"date_(created|modified|paid|completed)(_gmt)?$")
UNORDERED_BY = ("date", "modified", "menu_order")


@dataclass(frozen=True)
class Exchange:
    """One recorded request with its answer."""

    index: int
    label: str
    method: str
    path: str
    params: Mapping[str, Json]
    body: Json
    status: int
    headers: Mapping[str, str]
    response: Json

    @property
    def route(self) -> str:
        """The path below the API, without its origin."""
        return re.sub(r"^http://127\.0\.0\.1:\d+", "", self.path).removeprefix("/wp-json/wc/v3")

    @property
    def kind(self) -> str:
        """What the request is about: its first path words without ids."""
        words = [w for w in self.route.split("?")[0].split("/") if w and not w.isdigit()]
        return "/".join(words[:2])


@dataclass
class Ids:
    """The recorded ids and their counterparts, per sequence."""

    known: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))

    def bind(self, space: str, recorded: Json, simulated: Json) -> None:
        """Remember that both mean the same thing."""
        if isinstance(recorded, int) and isinstance(simulated, int) and recorded:
            self.known[space][recorded] = simulated

    def of(self, space: str, recorded: int) -> int:
        """Return the simulated id of a recorded one."""
        if recorded in (0, -1) or recorded >= 90_000:  # ids that no store ever had
            return recorded
        return self.known[space].get(recorded, recorded + UNBOUND)


def space_of(path: tuple[str, ...]) -> str | None:
    """Say which sequence the number at this place of a body counts in; nothing if it is no id."""
    names = [name for name in path if not name.isdigit()]
    last = names[-1] if names else ""
    above = names[-2] if len(names) > 1 else ""
    if last in ("product_id", "variation_id", "resource_id", "parent_id", "number"):
        return "post"
    if last in ("variations", "grouped_products", "delete", "include", "exclude", "product"):
        return "post"
    if last != "id" or above == "meta_data":
        return None
    spaces = {
        **dict.fromkeys(("categories", "tags", "brands"), "term"),
        **dict.fromkeys(("attributes", "default_attributes"), "attribute"),
        **dict.fromkeys(("line_items", "shipping_lines", "fee_lines"), "line"),
    }
    return spaces.get(above, "post")


class Translator:
    """Translates what was recorded into the simulated store's ids."""

    def __init__(self, ids: Ids, root: str) -> None:
        self._ids = ids
        self._root = root

    def value(self, value: Json, path: tuple[str, ...] = ()) -> Json:
        """Translate a body."""
        if isinstance(value, dict):
            return {k: self.value(v, (*path, k)) for k, v in value.items()}
        if isinstance(value, list):
            return [self.value(v, (*path, str(n))) for n, v in enumerate(value)]
        space = self._space(path)
        if space is not None and isinstance(value, int) and not isinstance(value, bool):
            return self._ids.of(space, value)
        if space is not None and isinstance(value, str) and value.isdigit():
            return str(self._ids.of(space, int(value)))
        return value

    def _space(self, path: tuple[str, ...]) -> str | None:
        names = [name for name in path if not name.isdigit()]
        if names in (["id"], ["create", "id"], ["update", "id"], ["delete", "id"], ["body", "id"]):
            return self._root
        return space_of(path)

    def params(self, params: Mapping[str, Json]) -> dict[str, Json]:
        """Translate query parameters, lists of ids included."""
        result = {}
        for name, value in params.items():
            if name in ("include", "exclude", "product", "search") and re.match(
                r"[\d,]+$", str(value)
            ):
                words = str(value).split(",")
                result[name] = ",".join(str(self._ids.of("post", int(word))) for word in words)
            else:
                result[name] = value
        return result

    def text(self, text: str) -> str:
        """Translate the ids inside an address."""
        here = re.match(r"(.*?)(\?(?!P<).*)?$", text)
        path, query = (here.group(1), here.group(2) or "") if here else (text, "")
        parts = path.split("/")
        for n in range(1, len(parts)):
            if parts[n].isdigit():
                parts[n] = str(self._ids.of(_path_space(parts, n), int(parts[n])))

        def renamed(found: re.Match[str]) -> str:
            return found.group(1) + str(self._ids.of("post", int(found.group(2))))

        query = re.sub(r"((?:(?:include|exclude)%5B\d+%5D|product)=)(\d+)", renamed, query)
        return "/".join(parts) + query


def _path_space(parts: list[str], n: int) -> str:
    return {
        "attributes": "attribute",
        "terms": "term",
        "categories": "term",
        "tags": "term",
        "brands": "term",
        "notes": "note",
        "webhooks": "webhook",
    }.get(parts[n - 1], "post")


def root_space(exchange: Exchange) -> str:
    """Say which sequence the top-level ids of an exchange count in."""
    parts = [p for p in exchange.route.split("?")[0].split("/") if p and not p.isdigit()]
    parts = [p for p in parts if p != "batch"] or [""]
    return _path_space([*parts, "1"], len(parts))


class Binder:
    """Binds the ids that a pair of answers shows for the first time."""

    def __init__(self, ids: Ids, root: str) -> None:
        self._ids = ids
        self._root = root
        self._translator = Translator(ids, root)

    def bind(self, recorded: Json, simulated: Json, path: tuple[str, ...] = ()) -> None:
        """Walk both answers side by side."""
        if isinstance(recorded, dict) and isinstance(simulated, dict):
            for name in recorded.keys() & simulated.keys():
                self.bind(recorded[name], simulated[name], (*path, name))
        elif isinstance(recorded, list) and isinstance(simulated, list):
            for n, (one, other) in enumerate(zip(recorded, simulated, strict=False)):
                self.bind(one, other, (*path, str(n)))
        elif path and path[-1] == "id":
            space = self._translator._space(path)
            if space is not None and recorded not in self._ids.known[space]:
                self._ids.bind(space, recorded, simulated)


def differences(
    recorded: Json, simulated: Json, path: str = "", unread: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Yield where two answers differ, in words."""
    if isinstance(recorded, dict) and isinstance(simulated, dict):
        for name in sorted(recorded.keys() | simulated.keys()):
            where = f"{path}.{name}"
            if name in IGNORED | unread:
                continue
            if DATES.match(name) and _is_same_moment(recorded.get(name), simulated.get(name)):
                continue
            if name not in simulated:
                yield f"{where}: missing, recorded {recorded[name]!r:.80}"
            elif name not in recorded:
                yield f"{where}: surplus {simulated[name]!r:.80}"
            elif name == "meta_data" and isinstance(recorded[name], list):
                yield from differences(_meta(recorded[name]), _meta(simulated[name]), where, unread)
            elif name in SCHEMELESS:
                one, other = (str(side[name]).partition("://")[2] for side in (recorded, simulated))
                yield from differences(one, other, where, unread)
            else:
                yield from differences(recorded[name], simulated[name], where, unread)
    elif isinstance(recorded, list) and isinstance(simulated, list):
        if len(recorded) != len(simulated):
            yield f"{path}: {len(recorded)} rows recorded, {len(simulated)} simulated"
        for n, (one, other) in enumerate(zip(recorded, simulated, strict=False)):
            yield from differences(one, other, f"{path}[{n}]", unread)
    elif recorded != simulated or isinstance(recorded, bool) != isinstance(simulated, bool):
        yield f"{path}: recorded {recorded!r:.120}, simulated {simulated!r:.120}"


def _is_same_moment(recorded: Json, simulated: Json) -> bool:
    if not isinstance(recorded, str) or not isinstance(simulated, str):
        return False
    gap = datetime.fromisoformat(recorded) - datetime.fromisoformat(simulated)
    return abs(gap) <= TOLERANCE


def _meta(rows: Json) -> list[str]:
    """Return custom fields without their serial numbers and without WordPress's own."""
    kept = [row for row in rows if not row["key"].startswith("_wp_")]
    return sorted(f"{row['key']}={row['value']!r}" for row in kept)


def index_differences(recorded: Json, simulated: Json) -> Iterator[str]:
    """Compare what the simulated store says of its routes: methods and arguments it has."""
    for pattern, route in simulated.items():
        known = recorded.get(pattern)
        if known is None:
            yield f"{pattern}: no such route was recorded"
            continue
        if surplus := set(route["methods"]) - set(known["methods"]):
            yield f"{pattern}: methods {sorted(surplus)} were not recorded"
        for one, other in zip(known["endpoints"], route["endpoints"], strict=False):
            args = one["args"] or {}
            for name, arg in (other["args"] or {}).items():
                if name == "currency":  # its list of every currency of the world is not repeated
                    continue
                told = args.get(name, {})
                for key in ("type", "enum", "minimum", "maximum", "format"):
                    if told.get(key) != arg.get(key):
                        words = f"{told.get(key)} recorded, {arg.get(key)} simulated"
                        yield f"{pattern} {name} {key}: {words}"


def moment_of(exchange: Exchange) -> datetime | None:
    """Return when an exchange that wrote something happened, from the answer it got."""
    if exchange.method == "GET" or exchange.status >= 400 or exchange.method == "DELETE":
        return None
    stamps: list[str] = []

    def walk(value: Json) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("date_modified_gmt"), str):
                stamps.append(value["date_modified_gmt"])
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    body = exchange.response
    rows = body if isinstance(body, dict) else {}
    walk({k: v for k, v in rows.items() if k != "images"})
    return datetime.fromisoformat(max(stamps)).replace(tzinfo=UTC) if stamps else None


def is_unordered(exchange: Exchange) -> bool:
    """Say whether the real store gives the rows of this list in no order that can be expected."""
    if exchange.method != "GET" or not isinstance(exchange.response, list):
        return False
    by = str(exchange.params.get("orderby", "date"))
    route = exchange.route
    if route.startswith("/orders"):
        return by == "modified"
    if "/variations" in route:
        return by in ("menu_order", "modified")
    return route.startswith("/products") and by in UNORDERED_BY and route == "/products"


def row_key(row: Json) -> str:
    """Return what identifies a row of an unordered list."""
    return str(row.get("id", row)) if isinstance(row, dict) else str(row)


def compared_lists(exchange: Exchange, expected: list[Json], got: list[Json]) -> Iterator[str]:
    """Compare a list whose order means nothing: as a set, or a page only by its size."""
    total = int(exchange.headers.get("X-WP-Total", len(expected)))
    if len(expected) != len(got):
        yield f"{len(expected)} rows recorded, {len(got)} simulated"
    elif len(expected) >= total:
        one = sorted(expected, key=row_key)
        other = sorted(got, key=row_key)
        yield from differences(one, other)
    elif expected and isinstance(expected[0], dict):
        for row in got:
            if row.keys() - IGNORED != expected[0].keys() - IGNORED:
                yield f"other fields: {sorted(row.keys() ^ expected[0].keys())}"
                return


def compared_headers(
    exchange: Exchange, got: httpx.Headers, translator: Translator
) -> Iterator[str]:
    """Compare the totals, links and methods that both answers carry."""
    for name in ("X-WP-Total", "X-WP-TotalPages", "Allow"):
        if exchange.headers.get(name) != got.get(name):
            yield f"{name}: recorded {exchange.headers.get(name)}, simulated {got.get(name)}"
    for name in ("Location", "Link"):
        recorded = exchange.headers.get(name)
        if recorded is None and name == "Link":
            continue
        told = re.sub(r"<([^>]*)>", lambda m: f"<{translator.text(m.group(1))}>", recorded or "")
        if name == "Location" and recorded is not None:
            told = translator.text(recorded)
        if told != (got.get(name) or ""):
            yield f"{name}: recorded {told}, simulated {got.get(name)}"

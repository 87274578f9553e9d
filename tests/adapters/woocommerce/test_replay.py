"""The simulated store answers like the real one did, exchange after recorded exchange."""

import gzip
import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.sandbox import Sandbox
from adapters.woocommerce.sandbox import Key, SandboxOptions, create_sandbox
from tests.adapters.woocommerce.replay import (
    ORIGIN,
    Binder,
    Exchange,
    Ids,
    Translator,
    compared_headers,
    compared_lists,
    differences,
    index_differences,
    is_unordered,
    moment_of,
    root_space,
)

pytestmark = pytest.mark.anyio

RECORDING = Path(__file__).resolve().parents[4] / "shared/recordings/woocommerce-10.2.4.jsonl.gz"
MINIMUM = 430
KEYS = (
    Key("ck_" + "1" * 40, "cs_" + "1" * 40),
    Key("ck_" + "2" * 40, "cs_" + "2" * 40, "read"),
    Key("ck_" + "3" * 40, "cs_" + "3" * 40, "write"),
)
FULL = (KEYS[0].consumer_key, KEYS[0].consumer_secret)
READ = (KEYS[1].consumer_key, KEYS[1].consumer_secret)
WRITE = (KEYS[2].consumer_key, KEYS[2].consumer_secret)

# Where the real store was emptied between two recorded exchanges (its products vanish while ids
# go on), by the index of the exchange before which it happened.
EMPTIED = {
    190: "the next list holds only what row 190 creates",
    278: "row 282 lists 100 products, all of row 278",
    357: "row 357 creates a SKU that row 0 had created, with success",
    462: "row 468 lists nothing",
    486: "rows 486 and 487 start a section of their own",
    536: "row 536 starts a section of its own",
    543: "row 544 lists one product only",
    610: "row 640 lists 100 simple products, all of row 610",
    662: "row 663 lists 100 products, all of a batch whose client gave up",
    665: "row 665 creates a SKU that row 486 had created",
}

# What was sent by requests whose bodies the recording does not hold as JSON.
RAW_BODIES: dict[int, tuple[bytes, str]] = {
    56: (b'{"name": "x", ', "application/json"),
    57: (b'{"name": "typed"}', "text/plain"),
    58: (b"name=formname&regular_price=3", "application/x-www-form-urlencoded"),
}

# Who asked, where it was not the key that may do everything; told by the labels of the rows.
NOBODY: dict[str, str] = {}
IDENTITIES: dict[int, tuple[str, str] | dict[str, str]] = {
    462: NOBODY,
    463: NOBODY,
    464: ("ck_unknown", FULL[1]),
    465: (FULL[0], "cs_wrong"),
    466: ("garbage", "garbage"),
    467: ("admin", "password"),
    **dict.fromkeys(range(468, 472), READ),
    472: WRITE,
    473: WRITE,
    474: NOBODY,
    475: NOBODY,
    476: {"Authorization": f"Bearer {FULL[0]}"},
    477: NOBODY,
    478: NOBODY,
    483: NOBODY,
}

# Not replayed, or not expected to agree, each with the reason.
EXCEPTIONS: dict[int, str] = {
    **dict.fromkeys((596, 597, 598), "webhooks are not modeled: the platform is polled"),
    595: "duplicates a product and answers with a dump of a PHP object, which no client reads",
    605: "reviews can be listed, not written, so the methods differ",
    607: "payment gateways are named only; their settings pages are not modeled",
    608: "tax classes can be listed, not written, so the methods differ",
    662: "a list read while a batch, not recorded, was half done",
}


# Answers that tell of routes and their arguments: compared for what the sandbox has of them.
INDEXES = (260, 478)

# Fields nothing reads, in answers that are otherwise compared, with the reason.
UNREAD: dict[int, tuple[frozenset[str], str]] = {
    258: (frozenset({"id"}), "which of the rows that share a second comes first is chance"),
    480: (frozenset({"options", "description", "default", "tip"}), "texts for the admin's pages"),
    606: (frozenset({"description"}), "texts for the admin's pages"),
}


def _routes(content: Any) -> Any:
    """Return the routes that an index or an OPTIONS answer describes."""
    return content.get("routes") or {"": content}


@dataclass
class Result:
    """What came of the replay."""

    agreed: list[int] = field(default_factory=list)
    disagreed: dict[int, list[str]] = field(default_factory=dict)


def recorded() -> list[Exchange]:
    """Read the recording."""
    rows = []
    with gzip.open(RECORDING, "rt") as lines:
        for index, line in enumerate(lines):
            row = json.loads(line)
            row.pop("seconds")
            row["headers"] = row["headers"] or {}
            row["params"] = row["params"] or {}
            rows.append(Exchange(index, **row))
    return rows


class Replay:
    """Sends recorded requests to a simulated store and judges the answers."""

    def __init__(self) -> None:
        self.ids = Ids()
        self.stores = {
            "http://127.0.0.1:8090": create_sandbox(SandboxOptions(keys=KEYS)),
            "http://127.0.0.1:8091": create_sandbox(
                SandboxOptions(keys=KEYS, treat_as_https=False)
            ),
        }
        self.store: Sandbox = self.stores[ORIGIN]

    async def judge(self, exchange: Exchange) -> list[str]:
        """Replay one exchange and say where the answer differs."""
        if (at := moment_of(exchange)) is not None:
            self.store.clock.freeze(at)
        root = root_space(exchange)
        translator = Translator(self.ids, root)
        response = await self._ask(exchange, translator)
        if exchange.method == "HEAD":
            got, expected = {}, {}
        else:
            got, expected = response.json(), exchange.response
        if not is_unordered(exchange):
            Binder(self.ids, root).bind(expected, got)
        expected = translator.value(expected)
        found = [*compared_headers(exchange, response.headers, translator)]
        if response.status_code != exchange.status:
            found.append(f"status: recorded {exchange.status}, simulated {response.status_code}")
        if exchange.index in INDEXES:
            found += index_differences(*(_routes(side) for side in (expected, got)))
        elif is_unordered(exchange) and isinstance(got, list):
            found += compared_lists(exchange, expected, got)
        else:
            unread = UNREAD.get(exchange.index, (frozenset(), ""))[0]
            found += differences(expected, got, unread=unread)
        return found

    async def _ask(self, exchange: Exchange, translator: Translator) -> httpx.Response:
        origin = exchange.path[: len(ORIGIN)]
        identity = IDENTITIES.get(exchange.index, FULL)
        sent: dict[str, Any] = {}
        if isinstance(identity, tuple):
            sent["auth"] = identity
        else:
            sent["headers"] = dict(identity)
        if exchange.index in RAW_BODIES:
            sent["content"], kind = RAW_BODIES[exchange.index]
            sent["headers"] = {**sent.get("headers", {}), "Content-Type": kind}
        elif exchange.body is not None:
            sent["json"] = translator.value(exchange.body)
        path = translator.text(exchange.path.removeprefix(origin))
        transport = self.stores[origin].transport()
        async with httpx.AsyncClient(transport=transport, base_url=origin) as client:
            params = translator.params(exchange.params) or None
            return await client.request(exchange.method, path, params=params, **sent)

    async def prepare(self, exchange: Exchange, rows: list[Exchange]) -> None:
        """Do what happened to the real store without being recorded."""
        if exchange.index in EMPTIED:
            self.store.shop({"do": "reset"})
        if exchange.index == 640:  # several writers set every stock at once to see who wins
            if (at := moment_of(rows[661])) is not None:
                self.store.clock.freeze(at)
            for sku in (row["sku"] for row in rows[610].body["create"]):
                self.store.shop({"do": "update", "sku": sku, "fields": {"stock_quantity": 3}})
        if exchange.index == 595:
            self.store.shop({"do": "create", "fields": {"name": "Par (Copy)", "status": "draft"}})
            copied = self.store.books.report()["effects"][-1]["id"]
            self.ids.bind("post", exchange.response["id"], copied)
        if exchange.index == 663:
            batch = rows[664]
            response = await self._ask(batch, Translator(self.ids, "post"))
            pairs = zip(batch.response["create"], response.json()["create"], strict=True)
            for one, other in pairs:
                self.ids.bind("post", one["error"]["data"]["resource_id"], other["id"])


def told(rows: list[Exchange], result: Result) -> str:
    """Describe the outcome, by kind of request."""
    total: Counter[str] = Counter(row.kind for row in rows)
    agreed = Counter(rows[index].kind for index in result.agreed)
    lines = [f"{agreed[kind]:4} of {n:4} {kind}" for kind, n in total.most_common()]
    summary = f"{len(result.agreed)} of {len(rows)} exchanges agree, {len(EXCEPTIONS)} excepted"
    return "\n".join([summary, *lines])


async def test_recorded_exchanges(capsys: pytest.CaptureFixture[str]) -> None:
    """Every recorded exchange that is not excepted gets the recorded answer from the sandbox."""
    if not RECORDING.exists():
        pytest.skip(f"THE SANDBOX WAS NOT CHECKED: no recording of a real store at {RECORDING}")
    rows, replay, result = recorded(), Replay(), Result()
    for exchange in rows:
        await replay.prepare(exchange, rows)
        if exchange.index in EXCEPTIONS:
            continue
        found = await replay.judge(exchange)
        if found:
            result.disagreed[exchange.index] = found
        else:
            result.agreed.append(exchange.index)
    with capsys.disabled():
        sys.stdout.write(f"\n{told(rows, result)}\n")
    report = [
        f"{i} {rows[i].label} {rows[i].method} {rows[i].route}: {w}"
        for i, words in result.disagreed.items()
        for w in words[:4]
    ]
    assert not result.disagreed, "\n".join(report)
    assert len(result.agreed) >= MINIMUM

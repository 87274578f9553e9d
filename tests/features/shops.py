"""One shop in a test: a store, a channel connected to it, and what an operator does with both.

Everything goes through the command line or the API client. SKUs carry a tag of the test's own,
because items belong to all channels of the shared instance; tests use the short names.
"""

import csv
import io
import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from tallyport.client import ApiClient
from tests.features.live import Instance, Said
from tests.features.stores import Held, Shelf

S = TypeVar("S", bound=Shelf)

_NUMBERS = itertools.count(1)
_PATIENCE_SECONDS = 40.0


class Run(dict[str, Any]):
    """A run as `run --json` prints it, with its actions."""

    code: int

    def kinds(self, *states: str) -> dict[str, int]:
        """Actions by kind, of these states or of all."""
        counted: dict[str, int] = {}
        for action in self["actions"]:
            if not states or action["state"] in states:
                counted[action["kind"]] = counted.get(action["kind"], 0) + 1
        return counted

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Actions of one kind."""
        return [action for action in self["actions"] if action["kind"] == kind]


class Shop(Generic[S]):
    """A store and its channel."""

    def __init__(self, instance: Instance, api: ApiClient, store: S, folder: Path) -> None:
        number = next(_NUMBERS)
        self.instance = instance
        self.api = api
        self.store = store
        self.tag = f"t{number}-"
        self.name = f"{store.platform}-{number}"
        self._folder = folder

    def sku(self, name: str) -> str:
        """The SKU that a short name stands for in this test."""
        return self.tag + name

    # --- the store

    def add(self, name: str, **fields: Any) -> None:
        """The merchant adds a product to the store."""
        self.store.add(self.sku(name), **fields)

    def held(self, name: str) -> Held:
        """The object with that SKU in the store."""
        return self.store.held()[self.sku(name)]

    # --- the channel

    def connect(self, *options: str, **settings: str) -> dict[str, Any]:
        """Connect the store, with settings given by name."""
        said = self.try_connect(self.store.credentials(), *options, **settings)
        assert said.code == 0, said.text()
        answer: dict[str, Any] = said.answer
        return answer

    def try_connect(
        self, credentials: Mapping[str, str], *options: str, name: str = "", **settings: str
    ) -> Said:
        """Try to connect with these credentials."""
        values = {**credentials, **_default_settings(self.store.platform), **settings}
        pairs = [part for key, value in values.items() for part in ("--set", f"{key}={value}")]
        return self.instance.cli(
            "channel",
            "connect",
            name or self.name,
            "--platform",
            self.store.platform,
            *pairs,
            *options,
        )

    def channel(self) -> dict[str, Any]:
        """The channel as `channel show` prints it."""
        answer: dict[str, Any] = self.done("channel", "show", self.name)
        return answer

    def edit(self, *options: str) -> dict[str, Any]:
        """Change the channel."""
        answer: dict[str, Any] = self.done("channel", "edit", self.name, *options)
        return answer

    @property
    def channel_id(self) -> str:
        """The API's id of the channel."""
        document = "query ($name: String!) { channel(name: $name) { id } }"
        return str(self.api.query(document, {"name": self.name})["channel"]["id"])

    # --- commands

    def cli(self, *arguments: str, stdin: str | None = None) -> Said:
        """Run a command as it stands."""
        return self.instance.cli(*arguments, stdin=stdin)

    def done(self, *arguments: str) -> Any:
        """Run a command that must succeed, and return what it answers."""
        said = self.cli(*arguments)
        assert said.code == 0, f"{arguments}: {said.text()}"
        return said.answer

    def listings(self, verb: str, *names: str) -> Said:
        """`listings VERB` for these names on this channel."""
        return self.cli("listings", verb, *map(self.sku, names), "--channel", self.name)

    def ask(self, verb: str, *names: str) -> Any:
        """`listings VERB` that must succeed."""
        said = self.listings(verb, *names)
        assert said.code == 0, said.text()
        return said.answer

    def state(self, **quantities: int | None) -> None:
        """State quantities of items; underscores of the names become hyphens."""
        pairs = [
            f"{self.sku(name.replace('_', '-'))}={'' if number is None else number}"
            for name, number in quantities.items()
        ]
        self.done("items", "set", *pairs)

    def run(
        self,
        operation: str,
        *,
        full: bool = False,
        plan: bool = False,
        names: Sequence[str] = (),
        orders: Sequence[str] = (),
        result: str | None = "SUCCEEDED",
    ) -> Run:
        """Run an operation and wait; `result` is how it must end, None where that is open."""
        options = ["--full"] * full + ["--plan"] * plan
        for name in names:
            options += ["--sku", self.sku(name)]
        for number in orders:
            options += ["--order", number]
        said = self.cli("run", operation, self.name, *options)
        assert isinstance(said.answer, dict), said.text()
        assert "actions" in said.answer, said.text()
        run = Run(said.answer)
        run.code = said.code
        if result is not None and not plan:
            assert result == run["result"], _story(run)
        return run

    # --- our side

    def import_rows(self, rows: Sequence[Mapping[str, Any]], *options: str) -> Said:
        """Import listings from a file of ours; `sku` and `parent_sku` are short names."""
        columns = list(dict.fromkeys(key for row in rows for key in row))
        out = io.StringIO()
        writer = csv.DictWriter(out, columns, restval="")
        writer.writeheader()
        for row in rows:
            names = {key: self.sku(str(row[key])) for key in ("sku", "parent_sku") if row.get(key)}
            writer.writerow({**row, **names})
        return self.import_text(out.getvalue(), *options)

    def import_text(self, text: str | bytes, *options: str, suffix: str = ".csv") -> Said:
        """Import a file with this content."""
        file = self._folder / f"catalog-{next(_NUMBERS)}{suffix}"
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return self.cli("listings", "import", str(file), "--channel", self.name, *options)

    def list_ours(self, *rows: Mapping[str, Any]) -> None:
        """Import listings that must all be taken; title and currency are filled in."""
        filled = [{"title": row.get("sku"), "currency": "EUR", **row} for row in rows]
        said = self.import_rows(filled)
        assert said.code == 0, f"{said.answer} {said.notes}"

    def price(self, name: str, amount: str, *, listing: str | None = None) -> None:
        """State a new list price of a variant."""
        self.upsert(
            listing or name,
            variants=[{"sku": self.sku(name), "fields": {"list_price": _money(amount)}}],
        )

    def upsert(self, listing: str, **draft: Any) -> dict[str, Any]:
        """Create or change a listing through the API."""
        answer: dict[str, Any] = self.api.mutate(
            "mutation ($input: ListingUpsertInput!) { listingUpsert(input: $input) { isNew"
            " isChanged listing { id sku } userErrors { code message path } } }",
            {"input": {"channel": self.channel_id, "sku": self.sku(listing), **draft}},
        )
        return answer

    def variant(self, name: str) -> dict[str, Any]:
        """One of our variants with its link, values and conditions."""
        document = (
            "query ($channel: ID!, $sku: String!) { variant(channel: $channel, sku: $sku) {"
            " id sku presence seenPresence syncStatus isPaused wanted content needsAttention"
            " listing { id sku title } item { stated } fields { name value source }"
            " withheld { field reason message } values { field wanted seen isInSync }"
            " link { state key origin reason message remote { id remoteParent remoteVariant sku"
            " gone } } conditions { type status reason message inputs } } }"
        )
        found = self.api.query(document, {"channel": self.channel_id, "sku": self.sku(name)})
        assert found["variant"] is not None, f"no variant {name}"
        answer: dict[str, Any] = found["variant"]
        return answer

    def has(self, name: str) -> bool:
        """Whether we have a variant with that SKU."""
        document = (
            "query ($channel: ID!, $sku: String!) { variant(channel: $channel, sku: $sku) { id } }"
        )
        variables = {"channel": self.channel_id, "sku": self.sku(name)}
        return self.api.query(document, variables)["variant"] is not None

    def link(self, name: str) -> str:
        """The state of a variant's link."""
        return str(self.variant(name)["link"]["state"])

    def explain(self, name: str) -> dict[str, Any]:
        """What `listings explain` says of one variant."""
        answer = self.done("listings", "explain", self.sku(name), "--channel", self.name)
        found: dict[str, Any] = next(
            (each for each in answer if each["sku"] == self.sku(name)), answer[0]
        )
        return found

    def reasons(self, name: str) -> str:
        """Every condition of a variant, as text."""
        return " | ".join(
            f"{each['reason']}: {each['message']}" for each in self.variant(name)["conditions"]
        )

    def wait(self, what: Callable[[], Any], why: str, *, seconds: float = _PATIENCE_SECONDS) -> Any:
        """Wait until something is so, and return it."""
        deadline = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < deadline, f"never happened: {why}"
            time.sleep(0.15)
        return found


def _money(amount: str, currency: str = "EUR") -> dict[str, str]:
    return {"amount": amount, "currency": currency}


def _default_settings(platform: str) -> Mapping[str, str]:
    """Requests that fit into the short lease of the test's instance."""
    return {"request_seconds": "8"} if platform == "woocommerce" else {}


def _story(run: Run) -> str:
    """Everything worth reading when a run did not end as it should."""
    shown = {key: value for key, value in run.items() if key != "actions"}
    rows = [
        f"{each['kind']} {each['state']} {each['reason']} {each['outcome']} {each['changes']}"
        for each in run["actions"][:20]
    ]
    return json.dumps(shown, indent=1, default=str) + "\n" + "\n".join(rows)

"""What the demo asks of Tallyport, through the same API as everybody: one channel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tallyport.client import ApiClient, Json
from tallyport.demo.stores import Ref
from tallyport.following import actions_of, follow_import, follow_run

_VARIANTS = (
    "query ($after: String, $where: ListingFilterInput) {"
    " listings(first: 50, after: $after, where: $where) { nodes { sku"
    " variants(first: 100) { nodes { id sku presence seenPresence link { state reason message"
    " remote { remoteParent remoteVariant } } } } } pageInfo { hasNextPage endCursor } } }"
)


@dataclass(frozen=True, slots=True)
class OurVariant:
    """A listing variant as the API shows it."""

    id: str
    sku: str
    listing_sku: str
    link: str
    link_message: str
    ref: Ref | None


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run with its plan."""

    run: Json
    actions: tuple[Json, ...]

    def count(self, kind: str, state: str = "APPLIED") -> int:
        """Actions of a kind that ended so."""
        return sum(row["kind"] == kind and row["state"] == state for row in self.actions)


class Shop:
    """One channel, by the API."""

    def __init__(self, api: ApiClient, platform: str, name: str) -> None:
        self._api = api
        self._platform = platform
        self._name = name
        self._id = ""
        self.currency = ""

    @property
    def id(self) -> str:
        """Id of the channel, once it is connected."""
        return self._id

    def connect(self, credentials: Mapping[str, str]) -> Json:
        """Connect the account and return the channel."""
        fields = self._api.query(
            "query ($name: String!) { platform(name: $name) { credentials { name inputName } } }",
            {"name": self._platform},
        )["platform"]["credentials"]
        login = {
            field["inputName"]: credentials[field["name"]]
            for field in fields
            if field["name"] in credentials
        }
        payload = self._api.mutate(
            "mutation ($input: ChannelConnectInput!) { channelConnect(input: $input) { channel"
            " { id name account { name accountId currency } } userErrors { code message path } } }",
            {"input": {"name": self._name, "credentials": {self._platform: login}}},
        )
        channel = payload["channel"]
        self._id = channel["id"]
        self.currency = channel["account"]["currency"]
        return channel

    def import_catalog(self, path: Path) -> Json:
        """Send a catalog file and wait until it is imported."""
        sent = self._api.upload(path, {"channel": self._id, "name": path.name})
        return follow_import(self._api, str(sent["import"]))

    def run(self, operation: str, *, full: bool = False, plan: bool = False) -> FinishedRun:
        """Run an operation and wait for its end."""
        run = follow_run(self._api, self.start(operation, full=full, plan=plan))
        return FinishedRun(run, tuple(actions_of(self._api, run["id"])))

    def start(self, operation: str, *, full: bool = False, plan: bool = False) -> str:
        """Ask for a run and return its id."""
        payload = self._api.mutate(
            "mutation ($input: RunRequestInput!) { runRequest(input: $input)"
            " { run { id } userErrors { code message path } } }",
            {
                "input": {
                    "channel": self._id,
                    "operation": operation,
                    "isFull": full,
                    "plan": plan,
                }
            },
        )
        return str(payload["run"]["id"])

    def variants(self) -> Mapping[str, OurVariant]:
        """Every listing variant of the channel, by SKU."""
        found: dict[str, OurVariant] = {}
        variables = {"where": {"channel": self._id}}
        for listing in self._api.pages(_VARIANTS, variables, ("listings",)):
            for row in listing["variants"]["nodes"]:
                remote = row["link"]["remote"]
                found[row["sku"]] = OurVariant(
                    id=row["id"],
                    sku=row["sku"],
                    listing_sku=listing["sku"],
                    link=row["link"]["state"],
                    link_message=row["link"]["message"] or "",
                    ref=None
                    if remote is None
                    else (remote["remoteParent"], remote["remoteVariant"] or None),
                )
        return found

    def set_prices(self, prices: Mapping[str, Decimal], variants: Mapping[str, OurVariant]) -> None:
        """State new list prices."""
        for sku, price in prices.items():
            self._upsert(variants[sku].listing_sku, sku, price)

    def want(self, prices: Mapping[str, Decimal]) -> None:
        """Want products of one form listed, at these prices."""
        for sku, price in prices.items():
            self._upsert(sku, sku, price)

    def _upsert(self, listing_sku: str, sku: str, price: Decimal) -> None:
        amount = {"amount": str(price), "currency": self.currency}
        given: dict[str, Any] = {
            "channel": self._id,
            "sku": listing_sku,
            "variants": [{"sku": sku, "fields": {"list_price": amount}}],
        }
        self._api.mutate(
            "mutation ($input: ListingUpsertInput!) { listingUpsert(input: $input)"
            " { isChanged userErrors { code message path } } }",
            {"input": given},
        )

    def set_quantities(self, quantities: Mapping[str, int]) -> None:
        """State new quantities."""
        statements = [{"sku": sku, "quantity": number} for sku, number in quantities.items()]
        self._api.mutate(
            "mutation ($input: ItemSetInput!) { itemSet(input: $input)"
            " { results { sku outcome } userErrors { code message path } } }",
            {"input": {"statements": statements, "source": "demo"}},
        )

    def ask(self, mutation: str, variants: Sequence[OurVariant]) -> None:
        """Hide, unhide or delist variants."""
        self._api.mutate(
            f"mutation ($input: ListingTargetsInput!) {{ {mutation}(input: $input)"
            " { results { id changedVariants } userErrors { code message path } } }",
            {"input": {"ids": [variant.id for variant in variants]}},
        )

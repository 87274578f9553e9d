"""Waits for runs and imports through the API and tells how far they have come.

Shared by the command line and the demo. Asks, sleeps, asks again; must not print.
"""

import time
from collections.abc import Callable, Iterator
from typing import Final

from tallyport.client import ApiClient, Json

_NUMBERS: Final = "created updated linked unlinked delisted skipped failed"
ORDER_NUMBERS: Final = (
    *("seen", "imported", "followed", "putOnHold", "held", "skipped", "unsavable"),
    *("acknowledged", "shipmentsPushed", "closed"),
)
"""What a run counts of orders."""
RUN_SELECTION: Final = (
    "id operation state result isFull isPlanOnly lookup counts progress error { code message }"
    f" report {{ parents {{ {_NUMBERS} }} variants {{ {_NUMBERS} }}"
    f" orders {{ {' '.join(ORDER_NUMBERS)} }}"
    " reasons { code count } attention }"
    " waitingFor { code message runId until } actionCounts { kind state reason count }"
    " guard { kind isAllowed planned executed limit message } channel { id name }"
    " requestedBy createdAt startedAt plannedAt finishedAt"
)
IMPORT_SELECTION: Final = (
    "id name layout state receivedBytes rowsDone counts error { code message } createdAt finishedAt"
)
ACTION_SELECTION: Final = (
    "id kind state reason { code message } outcome { code message } guards tries"
    " changes { field before after } listing { id sku title } variant { id sku }"
    " remoteParent remoteVariant remoteOrder { id number } shipment { id trackingNumber }"
)

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 1.0
_ENDED = frozenset({"REPORTED", "CANCELED"})
_IMPORTED = frozenset({"DONE", "FAILED", "CANCELED"})
_PENDING = frozenset({"PLANNED", "DUE", "SENDING", "RETRYING", "UNKNOWN"})


def run_has_ended(run: Json) -> bool:
    """Whether nothing more happens to a run by itself."""
    # A run passes through PLANNED on its way; it rests there only when it has been finished.
    return run["state"] in _ENDED or (run["state"] == "PLANNED" and run["finishedAt"] is not None)


def is_about_orders(run: Json) -> bool:
    """Whether a run reads or ships orders, and not listings."""
    return str(run["operation"]).endswith("_ORDERS")


def stage_of(run: Json) -> tuple[str, int, int | None]:
    """What a run is at, how much of it is done, and of how much where that is known."""
    counts = run["counts"]
    wait = run["waitingFor"]
    if wait is not None:
        return f"waiting: {wait['message']}", 0, None
    total = sum(row["count"] for row in run["actionCounts"])
    open_ = sum(row["count"] for row in run["actionCounts"] if row["state"] in _PENDING)
    match run["state"]:
        case "QUEUED":
            return "queued", 0, None
        case "FETCHING" if is_about_orders(run):
            return "orders read", counts.get("orders_seen", 0), counts.get("orders_total")
        case "FETCHING":
            return "products read", counts.get("products_seen", 0), counts.get("products_total")
        case "PLANNED" if not total and is_about_orders(run):
            return "orders decided", counts.get("orders_decided", 0), None
        case "PLANNED" if not total:
            decided, candidates = (
                counts.get("listings_decided", 0),
                counts.get("listings_candidates"),
            )
            return "listings planned", decided, candidates
        case _:
            return "actions done", total - open_, total or None


def look_at_run(api: ApiClient, run_id: str) -> Json:
    """The run as it stands."""
    document = f"query ($id: ID!) {{ run(id: $id) {{ {RUN_SELECTION} }} }}"
    return api.query(document, {"id": run_id})["run"]


def follow_run(
    api: ApiClient, run_id: str, on_look: Callable[[Json], None] = lambda _run: None
) -> Json:
    """Wait until a run has ended; `on_look` sees it each time it was looked at."""
    for _ in _pauses():
        run = look_at_run(api, run_id)
        on_look(run)
        if run_has_ended(run):
            return run
    raise AssertionError("pauses do not end")


def follow_import(
    api: ApiClient, import_id: str, on_look: Callable[[Json], None] = lambda _import: None
) -> Json:
    """Wait until an import of a catalog file has ended."""
    document = f"query ($id: ID!) {{ node(id: $id) {{ ... on Import {{ {IMPORT_SELECTION} }} }} }}"
    for _ in _pauses():
        found = api.query(document, {"id": import_id})["node"]
        on_look(found)
        if found["state"] in _IMPORTED:
            return found
    raise AssertionError("pauses do not end")


def actions_of(api: ApiClient, run_id: str) -> Iterator[Json]:
    """All actions of a run, in plan order."""
    document = (
        "query ($id: ID!, $after: String) { run(id: $id) { actions(first: 100, after: $after)"
        f" {{ nodes {{ {ACTION_SELECTION} }} pageInfo {{ hasNextPage endCursor }} }} }} }}"
    )
    return api.pages(document, {"id": run_id}, ("run", "actions"))


def _pauses() -> Iterator[None]:
    pause = _FIRST_PAUSE
    while True:
        yield
        time.sleep(pause)
        pause = min(pause * 1.3, _LONGEST_PAUSE)

"""Running operations: enabled, paused, scheduled, previewed, logged, explained."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from reconcile.core.actions import ActionKind
from tests.features.live import Instance
from tests.features.loopback import Loopback
from tests.features.rows import feature, needs
from tests.features.shops import Shop
from tests.features.stores import WooStore


def _drifted(shop: Shop[Any], *names: str) -> None:
    """Linked listings whose price on the store is not the wanted one."""
    for name in names:
        shop.add(name, price="9.00", quantity=5)
    shop.list_ours(*({"sku": name, "list_price": "12.00", "quantity": 5} for name in names))
    shop.run("link", full=True)


def _next(shop: Shop[Any], name: str, operation: str = "SYNC_LISTINGS") -> tuple[str, str]:
    told = next(row for row in shop.explain(name)["operations"] if row["operation"] == operation)
    return told["next"]["code"], told["next"]["message"]


@feature("A6", "T3")
def test_an_operation_can_be_disabled_and_paused_and_says_so(shop: Shop[Any]) -> None:
    """A disabled operation is refused, a paused one waits; explain names the reason each time."""
    _drifted(shop, "MUG")

    by_hand = _next(shop, "MUG")
    shop.done("channel", "settings", shop.name, "sync", "--disable")
    disabled = _next(shop, "MUG")
    refused = shop.cli("run", "sync", shop.name)
    shop.done("channel", "settings", shop.name, "sync", "--enable", "--pause")
    paused = _next(shop, "MUG")
    held = shop.cli("run", "sync", shop.name, "--no-wait")
    since = shop.store.serial()
    shop.done("channel", "settings", shop.name, "sync", "--resume")
    shop.done("channel", "pause", shop.name)
    rests = _next(shop, "MUG")
    shop.done("channel", "resume", shop.name)

    assert by_hand[0] == "OnRequest"
    assert disabled[0] == "Disabled"
    assert refused.codes() == ["DISABLED"], refused.text()
    assert paused[0] == "OperationPaused"
    assert held.code == 0 or held.codes() == ["PAUSED"], held.text()
    assert rests[0] == "ChannelPaused"
    assert all(message for _, message in (by_hand, disabled, paused, rests))
    assert [row for row in shop.store.requests(since) if row["method"] == "POST"] == []
    shop.run("sync")
    assert shop.held("MUG").price == Decimal(12)


@feature("A6", "T3")
def test_a_scheduled_run_starts_without_anybody_asking(scheduled: Shop[WooStore]) -> None:
    """When its minute has come, the operation runs, is marked as scheduled, and does its work."""
    document = (
        "query ($where: RunFilterInput) { runs(where: $where)"
        " { nodes { trigger operation isFull result } } }"
    )

    def done() -> Any:
        where = {"where": {"channel": scheduled.channel_id, "isOpen": False}}
        return scheduled.api.query(document, where)["runs"]["nodes"]

    runs = scheduled.wait(done, "a scheduled run ends", seconds=100)

    expected = ("SCHEDULE", "SYNC_LISTINGS", True, "SUCCEEDED")
    assert tuple(runs[-1].values()) == expected
    assert scheduled.held("MUG").price == Decimal(12)


@feature("A6", "T3")
def test_schedules_are_intervals_or_cron_and_can_be_taken_off(shop: Shop[Any]) -> None:
    """Cron is checked when it is saved; explain tells the next time; off means by hand again."""
    _drifted(shop, "MUG")

    wrong = shop.cli("channel", "schedule", shop.name, "sync", "--cron", "61 * * * *")
    shop.done("channel", "schedule", shop.name, "link", "--cron", "0 3 * * *", "--full")
    [row] = shop.done("channel", "schedule", shop.name, "sync", "--every", "60s")
    scheduled = _next(shop, "MUG")
    shop.done("channel", "schedule", shop.name, "sync", "--off")

    assert wrong.codes() == ["INVALID"], wrong.text()
    assert row["nextDueAt"]
    assert scheduled[0] == "Scheduled"
    rows = {each["operation"]: each for each in shop.done("channel", "settings", shop.name)}
    assert rows["LINK_LISTINGS"]["schedule"]["cron"] == "0 3 * * *"
    assert rows["LINK_LISTINGS"]["nextDueAt"]
    assert rows["SYNC_LISTINGS"]["schedule"] is None


@feature("A14")
def test_a_preview_shows_every_row_and_writes_nothing_until_approved(shop: Shop[Any]) -> None:
    """A plan lists before, after and reason of each row; approving it carries out exactly that."""
    _drifted(shop, "MUG", "CUP")
    since = shop.store.serial()

    plan = shop.run("sync", full=True, plan=True)

    assert plan["state"] == "PLANNED"
    assert plan.kinds("PLANNED") == {"SYNC": 2}
    for action in plan["actions"]:
        [change] = action["changes"]
        assert [Decimal(str(change[side])) for side in ("before", "after")] == [9, 12]
        assert action["reason"]["code"] == "Differs"
        assert action["reason"]["message"]
    assert list(shop.store.effects(since)) == []

    shop.price("CUP", "13.00")
    said = shop.cli("runs", "approve", plan["id"])

    assert said.answer["id"] == plan["id"]
    states = {row["variant"]["sku"]: row["state"] for row in said.answer["actions"]}
    assert states == {shop.sku("MUG"): "APPLIED", shop.sku("CUP"): "STALE"}
    assert (shop.held("MUG").price, shop.held("CUP").price) == (Decimal(12), Decimal(9))
    assert said.code == 3, "a row of the plan was not carried out"


@feature("A14", "A16")
def test_a_plan_of_another_time_is_refused_whole(shop: Shop[Any]) -> None:
    """When settings changed since, a plan can only be canceled and made anew."""
    _drifted(shop, "MUG")
    plan = shop.run("sync", full=True, plan=True)
    shop.edit("--buffer", "1")

    said = shop.cli("runs", "approve", plan["id"])

    assert said.codes() == ["PLAN_OUTDATED"], said.text()
    assert shop.done("runs", "cancel", plan["id"])["state"] == "CANCELED"
    assert list(shop.store.effects()) == []


@feature("A15")
def test_every_request_that_changed_something_is_logged_without_secrets(
    shop: Shop[Any], instance: Instance
) -> None:
    """The log of a run shows when, what, the answer and the outcome; no secret stands anywhere."""
    _drifted(shop, "MUG")
    run = shop.run("sync")

    [entry] = shop.done("runs", "log", run["id"])

    assert entry["status"] == 200
    assert entry["at"]
    assert entry["actionIds"] == [run["actions"][0]["id"]]
    text = json.dumps(entry)
    assert shop.held("MUG").product in text or shop.sku("MUG") in text
    for name, secret in shop.store.credentials().items():
        if name != "domain":
            assert secret not in text
            assert secret not in instance.log
    assert run["actions"][0]["state"] == "APPLIED"


@feature("A13", "T4")
@needs(ActionKind.PUBLISH)
def test_templates_are_checked_and_translate_values(shop: Shop[Any], tmp_path: Path) -> None:
    """An unknown field is refused by name; a mapping set turns our value into theirs."""
    unknown = shop.cli("channel", "template", shop.name, "publish", "--map", "title=colour")
    wrong_kind = shop.cli("channel", "template", shop.name, "sync", "--map", "title=regular_price")
    wrong_group = shop.cli("channel", "template", shop.name, "sync", "--map", "title=name")
    template = shop.done("channel", "template", shop.name, "publish")
    rules = [
        {
            **rule,
            "mappingSet": {
                "name": "shelves",
                "keepUnmatched": True,
                "cases": [{"field": "brand", "equals": "Loom", "then": "By Loom"}],
            },
        }
        if rule["target"] == "name"
        else rule
        for rule in template["rules"]
    ]
    file = tmp_path / "template.json"
    file.write_text(json.dumps(rules))
    changed = shop.done("channel", "template", shop.name, "publish", "--file", str(file))
    shop.list_ours(
        {"sku": "A", "title": "Scarf", "brand": "Loom", "list_price": "5.00"},
        {"sku": "B", "title": "Hat", "brand": "Other", "list_price": "5.00"},
    )
    shop.run("publish")

    assert unknown.codes() == ["INVALID"], unknown.text()
    assert "colour" in unknown.text()
    assert wrong_kind.codes() == ["INVALID"], wrong_kind.text()
    assert wrong_group.codes() == ["INVALID"], wrong_group.text()
    assert changed["isDefault"] is False
    products = shop.store.products()
    assert products[shop.sku("A")]["name"] == "By Loom"
    assert products[shop.sku("B")]["name"] == "Hat"
    reset = shop.done("channel", "template", shop.name, "publish", "--reset")
    assert reset["isDefault"] is True


@feature("T3")
def test_without_a_worker_everything_says_so(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, loopback: Loopback
) -> None:
    """Where no worker runs, the status and the explanation name it instead of silence."""
    lonely = Instance(tmp_path_factory.mktemp("lonely"))
    lonely.start_without_worker()
    try:
        with lonely.client() as api:
            shop: Shop[WooStore] = Shop(lonely, api, WooStore(loopback), tmp_path)
            shop.connect()
            shop.upsert("MUG", fields={"title": "Mug"})
            run = shop.done("run", "link", shop.name, "--no-wait")
            told = shop.wait(
                lambda: shop.done("runs", "show", run["id"])["waitingFor"],
                "it says what it waits for",
            )
            assert told["code"] == "Worker"
            assert "worker" in told["message"].lower()
            assert _next(shop, "MUG")[0] in {"WorkerDown", "Queued"}
            assert api.query("{ status { isWorkerAlive } }")["status"]["isWorkerAlive"] is False
            shop.store.close()
    finally:
        lonely.stop()


@feature("W3", "A6")
def test_a_second_operation_waits_and_says_for_what(woo: Shop[WooStore]) -> None:
    """Two operations of one channel never run at once; the second tells what it waits for."""
    _drifted(woo, "MUG")
    woo.store.fault("delay", seconds=2.5, match={"path_contains": "/products", "times": 1})

    first = woo.done("run", "sync", woo.name, "--full", "--no-wait")
    second = woo.done("run", "publish", woo.name, "--full", "--no-wait")

    def waits() -> Any:
        return woo.done("runs", "show", second["id"])["waitingFor"]

    told = woo.wait(waits, "the second run says what it waits for")
    assert told["code"] == "AnotherRun"
    assert told["message"]

    def ended() -> bool:
        runs = [woo.done("runs", "show", run["id"]) for run in (first, second)]
        return {run["state"] for run in runs} == {"REPORTED"}

    woo.wait(ended, "both runs end")

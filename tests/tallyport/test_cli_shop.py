"""The command line against a running instance and a sandbox store, told as one shop's life."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from tallyport.demo.stores import Goods, Unit

_CATALOG = """\
parent_sku,sku,title,option_1_name,option_1_value,list_price,currency,quantity
,CLI-1,First,,,10.00,EUR,5
,CLI-2,Second,,,11.00,EUR,6
,CLI-3,Third,,,12.00,EUR,7
,CLI-4,Fourth,,,13.00,EUR,8
,CLI-5,Fifth,,,14.00,EUR,9
"""


def _sets(credentials: dict[str, str]) -> list[str]:
    return [part for name, value in credentials.items() for part in ("--set", f"{name}={value}")]


@pytest.fixture(scope="module")
def shop(instance: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The instance with a channel `shop`, a catalog imported, two products on the store's shelf."""
    for number in (1, 2):
        unit = Unit(f"CLI-{number}", Decimal("9.50"), 3)
        instance.store.add(Goods(f"On the shelf {number}", (unit,)))
    made = instance.json(
        "channel", "connect", "shop", "-p", "woocommerce", *_sets(instance.credentials)
    )
    assert made["name"] == "shop"
    file = tmp_path_factory.mktemp("catalog") / "catalog.csv"
    file.write_text(_CATALOG)
    done = instance.json("listings", "import", str(file))
    assert (done["state"], done["counts"]["created"], done["problems"]) == ("DONE", 5, [])
    assert instance.json("run", "sync", "shop", "--full")["result"] == "SUCCEEDED"
    assert instance.json("run", "publish", "shop", "--full")["result"] == "SUCCEEDED"
    return instance


def _variant(shop: Any, sku: str) -> Any:
    (listing,) = shop.json("listings", "list", "--sku", sku)
    (variant,) = listing["variants"]["nodes"]
    return variant


def _held(shop: Any, sku: str) -> Any:
    return next((each for each in shop.store.held().values() if each.sku == sku), None)


def test_what_was_there_is_linked_and_synced_and_the_rest_published(shop: Any) -> None:
    """Connect, import, sync and publish end with every listing linked and as wanted."""
    (channel,) = shop.json("channel", "list")

    assert channel["counts"]["linked"] == 5
    assert (_held(shop, "CLI-1").price, _held(shop, "CLI-1").quantity) == (Decimal(10), 5)
    assert _held(shop, "CLI-3").price == Decimal(12)


def test_wrong_credentials_are_refused_with_the_platforms_reason(instance: Any) -> None:
    """A wrong secret ends with exit code 1 and leaves no channel."""
    wrong = {**instance.credentials, "consumer_secret": "cs_" + "0" * 40}
    result = instance.run("channel", "connect", "bad", "-p", "woocommerce", *_sets(wrong))

    assert result.exit_code == 1
    assert "UNAUTHORIZED" in result.stderr
    assert wrong["consumer_secret"] not in result.output
    assert "bad" not in [row["name"] for row in instance.json("channel", "list")]


def test_missing_credentials_say_where_they_are_found(instance: Any) -> None:
    """Without a terminal each missing field is named with its place on the platform."""
    result = instance.run("channel", "connect", "x", "-p", "woocommerce", "--set", "domain=a.b")

    assert result.exit_code == 2
    assert "consumer_key" in result.stderr
    assert "consumer_secret" in result.stderr
    assert "WooCommerce" in result.stderr


def test_secrets_come_from_files_and_standard_input(instance: Any, tmp_path: Path) -> None:
    """`@file` and `-` are read, so that no secret need stand on the command line."""
    file = tmp_path / "key"
    file.write_text("ck_" + "0" * 40 + "\n")
    result = instance.run(
        *("channel", "connect", "x", "-p", "woocommerce", "--set", f"domain={instance.store_url}"),
        *("--set", f"consumer_key=@{file}", "--set", "consumer_secret=-"),
        stdin="cs_" + "0" * 40 + "\n",
    )

    assert result.exit_code == 1
    assert "UNAUTHORIZED" in result.stderr


def test_an_unknown_field_is_named_with_the_nearest_one(instance: Any) -> None:
    """A misspelt setting is a usage error."""
    result = instance.run("channel", "connect", "x", "-p", "woocommerce", "--set", "domainn=a.b")

    assert result.exit_code == 2
    assert "did you mean domain?" in result.stderr


def test_a_bad_catalog_names_its_rows_and_imports_the_others(shop: Any, tmp_path: Path) -> None:
    """Bad rows are listed with line and reason, and the exit code says so."""
    file = tmp_path / "bad.csv"
    file.write_text(
        "sku,title,list_price,currency\nCLI-1,First,10.00,EUR\n,Lost,1,EUR\nX,Y,-1,EUR\n"
    )
    answer = shop.json("listings", "import", str(file), code=3)

    lines = {problem["line"] for problem in answer["problems"] if problem["severity"] == "ERROR"}
    assert lines == {3, 4}
    assert answer["state"] == "DONE"


def test_a_changed_price_and_quantity_reach_the_store(shop: Any, tmp_path: Path) -> None:
    """A new file and a statement, one sync, and the books hold both."""
    file = tmp_path / "price.csv"
    file.write_text("sku,list_price,currency\nCLI-1,10.80,EUR\n")
    shop.json("listings", "import", str(file))
    (result,) = shop.json("items", "set", "CLI-1=41")
    run = shop.json("run", "sync", "shop")

    assert result["outcome"] == "CHANGED"
    assert run["result"] == "SUCCEEDED"
    assert (_held(shop, "CLI-1").price, _held(shop, "CLI-1").quantity) == (Decimal("10.8"), 41)
    (item,) = shop.json("items", "list", "--sku", "CLI-1")
    assert item["stated"] == 41
    shown = shop.run("runs", "show", run["id"])
    assert "CLI-1" in shown.stdout
    assert "SYNC" in shown.stdout
    assert shop.json("runs", "log", run["id"])[0]["status"] == 200


def test_a_plan_writes_nothing_until_it_is_approved(shop: Any) -> None:
    """`--plan` shows before, after and reason; `runs approve` carries it out."""
    before = _held(shop, "CLI-2").quantity
    shop.json("items", "set", "CLI-2=77")
    plan = shop.json("run", "sync", "shop", "--plan", "--sku", "CLI-2")

    assert plan["state"] == "PLANNED"
    (action,) = plan["actions"]
    assert action["variant"]["sku"] == "CLI-2"
    assert action["reason"]["message"]
    assert [(c["before"], c["after"]) for c in action["changes"]] == [(before, 77)]
    assert _held(shop, "CLI-2").quantity == before

    done = shop.json("runs", "approve", plan["id"])

    assert done["result"] == "SUCCEEDED"
    assert _held(shop, "CLI-2").quantity == 77


def test_hiding_and_unhiding(shop: Any) -> None:
    """Hide, sync, unhide, sync: unbuyable in between, as before in the end."""
    before = _held(shop, "CLI-3")
    shop.json("listings", "hide", "CLI-3")
    shop.json("run", "sync", "shop")
    assert not _held(shop, "CLI-3").is_buyable

    shop.json("listings", "unhide", "CLI-3")
    shop.json("run", "sync", "shop")
    assert _held(shop, "CLI-3") == before


def test_what_the_state_does_not_allow_is_refused(shop: Any) -> None:
    """Unhiding what is not hidden is refused, while the others in the same call are done."""
    answer = shop.json("listings", "unhide", "CLI-4", code=1)

    assert answer["errors"][0]["code"] == "WRONG_STATE"
    assert answer["errors"][0]["path"] == ["CLI-4"]


def test_pausing_holds_everything_back(shop: Any) -> None:
    """A paused listing keeps its quantity on the store, and explain says so."""
    before = _held(shop, "CLI-4").quantity
    shop.json("listings", "pause", "CLI-4")
    shop.json("items", "set", "CLI-4=55")
    shop.run("run", "sync", "shop", "--sku", "CLI-4")

    assert _held(shop, "CLI-4").quantity == before
    result = shop.run("listings", "explain", "CLI-4")
    assert result.exit_code == 0, result.output
    assert "paused" in result.stdout.lower()
    shop.json("listings", "unpause", "CLI-4")
    shop.json("run", "sync", "shop", "--sku", "CLI-4")
    assert _held(shop, "CLI-4").quantity == 55


def test_unlinking_and_linking_by_hand(shop: Any) -> None:
    """Unlink, see the candidate, link it again by its id."""
    shop.json("listings", "unlink", "CLI-5")
    assert _variant(shop, "CLI-5")["link"]["state"] == "UNLINKED"

    told = shop.json("listings", "candidates", "CLI-5")
    (free,) = told["candidates"]["free"]
    assert free["sku"] == "CLI-5"
    shop.json("listings", "link", "CLI-5", free["remoteParent"])
    assert _variant(shop, "CLI-5")["link"]["state"] == "LINKED"


def test_operations_are_set_up_one_by_one(shop: Any) -> None:
    """Settings, schedule and pause of an operation; what cannot be scheduled is refused."""
    (row,) = shop.json("channel", "schedule", "shop", "sync", "--every", "2h", "--full")
    assert row["schedule"] == {"intervalSeconds": 7200, "cron": None, "isFull": True}
    (row,) = shop.json("channel", "schedule", "shop", "sync", "--cron", "0 3 * * *")
    assert row["schedule"]["cron"] == "0 3 * * *"
    (row,) = shop.json("channel", "schedule", "shop", "sync", "--off")
    assert row["schedule"] is None
    answer = shop.json("channel", "schedule", "shop", "import", "--every", "1h", code=1)
    assert answer["errors"][0]["code"] == "MANUAL_ONLY"
    (row,) = shop.json("channel", "settings", "shop", "publish", "--pause")
    assert row["isPaused"]
    (row,) = shop.json("channel", "settings", "shop", "publish", "--resume")
    assert not row["isPaused"]


def test_templates_are_changed_by_field(shop: Any) -> None:
    """A field is switched off and on, an unknown one is refused, reset brings the default."""
    shown = shop.json("channel", "template", "shop", "sync", "--disable", "regular_price")
    state = {rule["target"]: rule["isEnabled"] for rule in shown["rules"]}
    assert not state["regular_price"]
    assert not shown["isDefault"]
    result = shop.run("channel", "template", "shop", "sync", "--enable", "nothing")
    assert result.exit_code == 2
    assert shop.json("channel", "template", "shop", "sync", "--reset")["isDefault"]


def test_a_channel_is_edited_checked_and_paused(shop: Any) -> None:
    """Edits show at once; a paused channel says so, and goes on."""
    assert shop.json("channel", "edit", "shop", "--buffer", "1")["buffer"] == 1
    assert shop.json("channel", "edit", "shop", "--buffer", "0")["buffer"] == 0
    assert shop.json("channel", "check", "shop")["account"]["currency"] == "EUR"
    assert shop.json("channel", "pause", "shop")["isPaused"]
    assert not shop.json("channel", "resume", "shop")["isPaused"]


def test_what_an_operation_is_not_about_is_refused_before_anything_is_queued(shop: Any) -> None:
    """The reason says what to do instead."""
    answer = shop.json("run", "get_orders", "shop", "--sku", "CLI-1", code=1)

    assert answer["errors"][0]["code"] == "INVALID"
    assert "leave out the listings" in answer["errors"][0]["message"]


def test_names_that_do_not_exist_are_named(shop: Any) -> None:
    """Unknown channels and SKUs end with NOT_FOUND and a hint."""
    answer = shop.json("run", "sync", "shopp", code=1)
    assert "Did you mean shop?" in answer["errors"][0]["message"]
    answer = shop.json("listings", "hide", "NO-SUCH", code=1)
    assert answer["errors"][0]["code"] == "NOT_FOUND"


def test_every_list_is_readable_for_people_too(shop: Any) -> None:
    """Tables go to standard output and name what they list."""
    for arguments, expected in (
        (["channel", "list"], "shop"),
        (["channel", "settings", "shop"], "SYNC_LISTINGS"),
        (["channel", "template", "shop", "sync"], "regular_price"),
        (["listings", "list"], "CLI-1"),
        (["items", "list"], "CLI-1"),
        (["runs", "list"], "SYNC_LISTINGS"),
        (["token", "list"], "first admin"),
    ):
        result = shop.run(*arguments)
        assert result.exit_code == 0, result.output
        assert expected in result.stdout


def test_tokens_are_made_used_and_revoked(shop: Any) -> None:
    """A token of scope read lists and may not write; revoked it opens nothing."""
    made = shop.json("token", "create", "reader", "--scope", "read")
    login = ("--url", shop.url, "--token", made["token"])
    assert shop.run("channel", "list", *login).exit_code == 0
    refused = shop.run("channel", "pause", "shop", *login)
    assert refused.exit_code == 1
    assert "write" in refused.stderr
    shop.json("token", "revoke", "reader")
    after = shop.run("channel", "list", *login)
    assert after.exit_code == 1
    assert "tallyport token create" in after.stderr
    assert made["token"] not in after.output


def test_the_local_file_is_for_its_owner_only(instance: Any) -> None:
    """The address and token are in a file of mode 0600."""
    file = instance.data_dir / "local.json"

    assert file.stat().st_mode & 0o777 == 0o600
    assert orjson.loads(file.read_bytes())["url"] == instance.url


def test_broken_links_are_mended_by_republishing(shop: Any) -> None:
    """Deleted on the store: BROKEN after a full sync, explained, and back after republish."""
    shop.store.delete("CLI-5")
    shop.json("run", "sync", "shop", "--full")
    variant = _variant(shop, "CLI-5")
    assert variant["link"]["state"] == "BROKEN"
    partial = shop.run("run", "sync", "shop", "--full")
    assert partial.exit_code == 3
    assert "BrokenLink" in partial.stdout
    explained = shop.run("listings", "explain", "CLI-5")
    assert "republish" in explained.stdout

    shop.json("listings", "republish", "CLI-5")
    shop.json("run", "publish", "shop")
    assert _variant(shop, "CLI-5")["link"]["state"] == "LINKED"
    assert _held(shop, "CLI-5") is not None


def test_a_plan_can_be_dropped(shop: Any) -> None:
    """A canceled plan writes nothing and cannot be approved any more."""
    before = _held(shop, "CLI-2").quantity
    shop.json("items", "set", "CLI-2=12")
    plan = shop.json("run", "sync", "shop", "--plan", "--sku", "CLI-2")
    shop.json("runs", "cancel", plan["id"])

    assert shop.json("runs", "show", plan["id"])["state"] == "CANCELED"
    assert _held(shop, "CLI-2").quantity == before
    assert shop.json("runs", "approve", plan["id"], code=1)["errors"]


def test_the_guard_holds_back_until_approved(shop: Any, tmp_path: Path) -> None:
    """More delistings than the limit wait; approving their kind carries them out."""
    shop.json("channel", "edit", "shop", "--guard", "count=0", "--guard", "share=0")
    shop.json("listings", "delist", "CLI-3", "CLI-4")
    held_back = shop.run("run", "sync", "shop")
    assert held_back.exit_code in (1, 3)
    assert "runs approve" in held_back.stdout
    assert _held(shop, "CLI-3") is not None

    (latest, *_) = shop.json("runs", "list", "--limit", "1")
    shop.json("runs", "approve", latest["id"], "--kind", "DELIST")
    assert _held(shop, "CLI-3") is None
    assert _held(shop, "CLI-4") is None
    shop.json("channel", "edit", "shop", "--guard", "count=", "--guard", "share=")


def test_a_removed_channel_leaves_the_store_alone(shop: Any) -> None:
    """Removal writes nothing to the store, and the name is free again."""
    before = shop.store.held()
    shop.json("channel", "remove", "shop", "--yes")

    assert shop.json("channel", "list") == []
    assert shop.store.held() == before

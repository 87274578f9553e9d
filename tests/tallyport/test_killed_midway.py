"""Connect, link and sync one changed price, the worker killed while the request is under way."""

import os
import signal
import time
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tallyport.client import ApiClient
from tallyport.demo.shop import Shop
from tallyport.demo.stores import Goods, Unit, WooCommerceStore
from tallyport.following import follow_run
from tallyport.local import read_local

_CATALOG = "sku,title,list_price,currency,quantity\nKILL-1,Survivor,10.00,EUR,5\n"


def _worker_of(parent: int) -> int:
    """The worker process among an instance's children."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                command = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if int(fields[1]) == parent and b"worker" in command and fields[0] != "Z":
                return int(entry.name)
    raise AssertionError("there is no worker")


def _await_request(url: str, before: int) -> None:
    """Wait until the delayed request is in the store's hands."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if httpx.get(f"{url}/_faults").json()["faults"][0]["seen"] > before:
            return
        time.sleep(0.05)
    pytest.fail("the request never arrived")


@pytest.mark.timeout(120)
def test_the_price_is_right_although_the_worker_was_killed(
    tmp_path: Path, start_process: Any
) -> None:
    """The killed worker's request is looked after: done once, and the run ends well."""
    shop_process = start_process(["sandbox", "woocommerce", "--json"], {}, tmp_path / "shop.log")
    url = shop_process.said["url"]
    store = WooCommerceStore(url)
    store.add(Goods("Survivor", (Unit("KILL-1", Decimal("10.00"), 5),)))
    environment = {
        "TALLYPORT_DATA_DIR": str(tmp_path / "data"),
        "TALLYPORT_ALLOWED_HOSTS": urlsplit(url).netloc,
        "TALLYPORT_SWEEP_SECONDS": "0.5",
        "TALLYPORT_SETTLE_SECONDS": "5",
    }
    up = start_process(["up", "--port", "0", "--json"], environment, tmp_path / "up.log")
    try:
        local = read_local(tmp_path / "data")
        assert local is not None
        with ApiClient(local.url, local.token) as api:
            shop = Shop(api, "woocommerce", "shop")
            shop.connect(shop_process.said["credentials"])
            catalog = tmp_path / "catalog.csv"
            catalog.write_text(_CATALOG)
            shop.import_catalog(catalog)
            assert shop.run("LINK_LISTINGS", full=True).run["result"] == "SUCCEEDED"
            shop.set_prices({"KILL-1": Decimal("12.50")}, shop.variants())
            since = store.serial()
            fault = {
                "match": {"method": "POST", "path_contains": "batch"},
                "effect": "delay",
                "seconds": 2,
            }
            httpx.post(f"{url}/_faults", json=fault).raise_for_status()

            run_id = shop.start("SYNC_LISTINGS")
            _await_request(url, 0)
            os.kill(_worker_of(up.process.pid), signal.SIGKILL)
            run = follow_run(api, run_id)

        assert run["result"] == "SUCCEEDED"
        (held,) = store.held().values()
        assert held.price == Decimal("12.50")
        changes = [each for each in store.effects(since) if "price" in each.changed]
        assert len(changes) == 1
    finally:
        up.stop()
        shop_process.stop()

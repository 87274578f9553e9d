"""Real catalogs, where they lie beside the checkout.

Imported, published, and found in agreement.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.features.conftest import Open
from tests.features.rows import feature
from tests.features.shops import Shop
from tests.features.stores import WooStore

_FOLDER = Path(__file__).parents[3] / "shared" / "data"
_FILES = (
    "shopify-apparel.csv",
    "shopify-home-and-garden.csv",
    "shopify-jewelery.csv",
    "woocommerce-sample-products.csv",
)


def _image_hosts(file: Path) -> frozenset[str]:
    """Hosts of every image in a file: the simulated store may fetch from them."""

    def addresses() -> Iterator[str]:
        with file.open(newline="", encoding="utf-8-sig") as content:
            for row in csv.DictReader(content):
                for name in ("Image Src", "Variant Image", "Images"):
                    yield from (part.strip() for part in (row.get(name) or "").split(","))

    return frozenset(
        host.lower() for each in addresses() if each and (host := urlsplit(each).hostname)
    )


@feature("W4", "A17")
@pytest.mark.parametrize("name", _FILES)
def test_a_real_catalog_is_imported_published_and_settles(open_shop: Open, name: str) -> None:
    """Every sellable row of the file ends on the store with its price.

    A second look changes nothing.
    """
    file = _FOLDER / name
    if not file.is_file():
        pytest.skip(f"the real catalogs are not beside this checkout: {name} was NOT tried")
    shop: Shop[WooStore] = open_shop(image_hosts=_image_hosts(file))
    shop.connect()

    said = shop.cli("listings", "import", str(file), "--channel", shop.name)

    assert said.answer["state"] == "DONE", said.answer
    errors = [row for row in said.answer["problems"] if row["severity"] == "ERROR"]
    assert {row["code"] for row in errors} <= {"NotSellable"}, errors
    ours = shop.done("listings", "list", "--channel", shop.name, "--limit", "100000")
    wanted = {
        variant["sku"]: variant
        for listing in ours
        for variant in listing["variants"]["nodes"]
        if variant["presence"] == "LISTED"
    }
    assert wanted

    run = shop.run("publish", result=None)

    failed = [row for row in run["actions"] if row["state"] != "APPLIED"]
    assert failed == [], [row["outcome"] for row in failed]
    held = shop.store.held()
    assert set(held) == set(wanted)
    since = shop.store.serial()
    for operation in ("sync", "publish"):
        assert shop.run(operation, full=True, result=None)["actions"] == [], operation
    assert list(shop.store.effects(since)) == []

from typing import Any
from tests.features.rows import feature
from tests.features.shops import Shop

@feature("A1", "A3")
def test_smoke(shop: Shop[Any]) -> None:
    shop.add("MUG", price="9.00", quantity=5)
    shop.list_ours({"sku": "MUG", "list_price": "12.50", "quantity": 7})
    run = shop.run("sync", full=True)
    assert shop.link("MUG") == "LINKED"
    assert shop.held("MUG").price == "12.50"
    assert shop.held("MUG").quantity == 7

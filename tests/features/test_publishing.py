"""Publishing and overwriting content, and what stands in their way."""

from typing import Any

from tests.features.conftest import Open
from tests.features.rows import feature
from tests.features.shops import Shop
from tests.features.stores import WooStore

_SIZES = ("S", "M")


def _tee(**more: Any) -> list[dict[str, Any]]:
    """A listing with two variants."""
    return [
        {"sku": "TEE", "title": "Tee", "brand": "Loom", "category_1": "Clothing", **more},
        *(
            {
                "sku": f"TEE-{size}",
                "parent_sku": "TEE",
                "title": "",
                "option_1_name": "Size",
                "option_1_value": size,
                "list_price": "19.00",
                "quantity": 4,
            }
            for size in _SIZES
        ),
    ]


@feature("W4")
def test_simple_and_variable_products_are_created_complete(woo: Shop[WooStore]) -> None:
    """Products appear with prices, stock, images, categories and variations.

    Are on sale at the end.
    """
    woo.list_ours(
        {
            "sku": "MUG",
            "title": "Mug & Saucer",
            "description": "<p>Holds tea.</p>",
            "list_price": "9.50",
            "quantity": 3,
            "category_1": "Kitchen",
            "category_2": "Cups",
            "images": "https://cdn.example/mug.jpg|https://cdn.example/side.jpg",
            "weight": "0.3",
            "weight_unit": "kg",
        },
        *_tee(images="https://cdn.example/tee.jpg"),
    )
    woo.run("sync")
    assert "NotOnChannel" in woo.reasons("MUG")

    run = woo.run("publish")

    assert run.kinds("APPLIED") == {"PUBLISH": 2}
    products = woo.store.products()
    mug, tee = products[woo.sku("MUG")], products[woo.sku("TEE")]
    assert (mug["status"], mug["type"], mug["stock_quantity"]) == ("publish", "simple", 3)
    assert (tee["status"], tee["type"]) == ("publish", "variable")
    created = {row["sku"]: row for row in woo.store.effects() if row["effect"] == "create"}
    assert len(created[woo.sku("MUG")]["fields"]["images"]) == 2
    assert created[woo.sku("TEE")]["fields"]["status"] == "draft", "shown only when complete"
    for size in _SIZES:
        held = woo.held(f"TEE-{size}")
        assert (str(held.price), held.quantity, held.is_buyable) == ("19", 4, True)
        assert woo.link(f"TEE-{size}") == "LINKED"
        assert woo.variant(f"TEE-{size}")["syncStatus"] == "IN_SYNC"
    assert woo.reasons("MUG") == "", "what was said while it was missing is not said any more"
    since = woo.store.serial()
    assert woo.run("publish", full=True)["actions"] == []
    assert woo.run("sync", full=True)["actions"] == []
    assert list(woo.store.effects(since)) == []


@feature("W4", "A3")
def test_what_is_on_the_store_already_is_linked_and_never_published_again(
    woo: Shop[WooStore],
) -> None:
    """What appeared since the last look is found by its SKU and linked instead of doubled."""
    woo.list_ours({"sku": "MUG", "list_price": "9.00"})
    woo.run("link", full=True, result=None)
    woo.add("MUG", price="4.00")

    run = woo.run("publish", result="PARTIAL")
    woo.run("publish")

    assert run["actions"][0]["outcome"]["code"] == "AlreadyExists"
    assert woo.link("MUG") == "LINKED"
    assert [row for row in woo.store.effects() if row["effect"] == "create"] == []


@feature("W5")
def test_overwriting_sends_changed_content_and_merges_attributes(woo: Shop[WooStore]) -> None:
    """When set, changed content is sent; attributes that the merchant added stay."""
    material = {"name": "Material", "visible": True, "options": ["Clay"]}
    woo.store.create(
        {
            "name": "Old name",
            "sku": woo.sku("MUG"),
            "regular_price": "9.00",
            "attributes": [material],
        }
    )
    row = {"sku": "MUG", "list_price": "9.00", "title": "New name", "description": "<p>New</p>"}
    woo.list_ours(
        {
            **row,
            "mpn": "MP-1",
            "upc": "036000291452",
            "gtin": "4006381333931",
            "category_1": "Kitchen",
            "images": "https://cdn.example/mug.jpg",
        }
    )
    woo.run("sync", full=True)

    off = woo.run("publish", full=True)
    name_while_off = woo.store.products()[woo.sku("MUG")]["name"]
    woo.done("channel", "settings", woo.name, "publish", "--set", "overwrite=yes")
    since = woo.store.serial()
    run = woo.run("publish", full=True)

    assert (off["actions"], name_while_off) == ([], "Old name")
    assert run.kinds("APPLIED") == {"OVERWRITE": 1}
    updates = [row for row in woo.store.effects(since) if row["effect"] == "update"]
    after = {name: value[1] for row in updates for name, value in row["fields"].items()}
    assert after["name"] == "New name"
    assert after["global_unique_id"] == "4006381333931"
    assert len(after["images"]) == 1
    names = {attribute["name"]: attribute["options"] for attribute in after["attributes"]}
    assert names == {"Material": ["Clay"], "MPN": ["MP-1"], "UPC": ["036000291452"]}
    since = woo.store.serial()
    assert woo.run("publish", full=True)["actions"] == []
    assert list(woo.store.effects(since)) == []


@feature("W5", "A13")
def test_a_content_field_switched_off_is_not_overwritten(woo: Shop[WooStore]) -> None:
    """The template of publishing decides which content leaves."""
    woo.store.create({"name": "Theirs", "sku": woo.sku("MUG"), "regular_price": "9.00"})
    woo.list_ours(
        {"sku": "MUG", "list_price": "9.00", "title": "Ours", "description": "<p>Ours</p>"}
    )
    woo.run("sync", full=True)
    woo.done("channel", "settings", woo.name, "publish", "--set", "overwrite=yes")
    woo.done("channel", "template", woo.name, "publish", "--disable", "name")
    since = woo.store.serial()

    woo.run("publish", full=True)

    assert woo.store.products()[woo.sku("MUG")]["name"] == "Theirs"
    changed = {name for row in woo.store.effects(since) for name in row["fields"]}
    assert "description" in changed


@feature("A17")
def test_our_listing_carries_every_field(shop: Shop[Any]) -> None:
    """All fields of parent and variant are stored with their source.

    A client price is refused by name.
    """
    fields = {
        "title": "Mug",
        "description": "<p>Clay</p>",
        "brand": "Loom",
        "categories": ["Kitchen", "Cups", "Large"],
        "images": ["https://cdn.example/mug.jpg"],
    }
    variant_fields = {
        "asin": "B000000001",
        "gtin": "4006381333931",
        "mpn": "MP-1",
        "upc": "036000291452",
        "estimated_cost": {"amount": "3.10", "currency": "EUR"},
        "list_price": {"amount": "9.90", "currency": "EUR"},
        "msrp": {"amount": "12", "currency": "EUR"},
        "map": {"amount": "9", "currency": "EUR"},
        "quantity": 7,
        "weight": {"value": "0.3", "unit": "kg"},
        "dimensions": {"length": "10", "width": "8", "height": "9", "unit": "cm"},
        "attributes": {"Material": "Clay"},
        "custom_fields": {"shelf": "B7"},
    }
    options = [{"name": "Color", "value": "Blue"}]

    shop.upsert(
        "MUG",
        fields=fields,
        optionNames=["Color"],
        variants=[
            {"sku": shop.sku("MUG-B"), "fields": variant_fields, "options": options},
        ],
    )

    document = (
        "query ($channel: ID!, $sku: String!) { listing(channel: $channel, sku: $sku) {"
        " optionNames fields { name value source } variants { nodes { sku"
        " options { name value } fields { name value source } } } } }"
    )
    variables = {"channel": shop.channel_id, "sku": shop.sku("MUG")}
    found = shop.api.query(document, variables)["listing"]
    stored = {each["name"]: each["value"] for each in found["fields"]}
    [variant] = found["variants"]["nodes"]
    own = {each["name"]: each["value"] for each in variant["fields"]}
    assert {name: stored.get(name) for name in fields} == fields
    assert set(variant_fields) <= set(own)
    assert own["list_price"]["currency"] == "EUR"
    assert {each["source"] for each in found["fields"]} == {"API"}
    assert (variant["options"], found["optionNames"]) == (options, ["Color"])

    said = shop.import_text(f"sku,title,client_price\n{shop.sku('CUP')},Cup,5.00\n")
    assert "client_price" in str(said.answer["problems"])


@feature("T6")
def test_a_variant_the_store_lacks_shows_the_structure_of_both_sides(woo: Shop[WooStore]) -> None:
    """Where one variant is missing there, both structures are shown, the rest is updated."""
    woo.add("TEE", price="15.00", quantity=1, options={"Size": ["S"]})
    woo.list_ours(*_tee())
    woo.run("sync", full=True, result=None)

    run = woo.run("publish", full=True, result=None)

    assert str(woo.held("TEE-S").price) == "19"
    assert woo.link("TEE-M") == "UNLINKED"
    assert run["result"] == "PARTIAL"
    told = woo.reasons("TEE-M")
    assert "StructureDiffers" in told
    assert f"{woo.sku('TEE-M')} (Size: M)" in told
    assert f"{woo.sku('TEE-S')} (Size: S)" in told


@feature("T7")
def test_an_image_that_cannot_be_fetched_is_named(woo: Shop[WooStore]) -> None:
    """The image and the platform's reason are shown; the others are published.

    Mending it publishes.
    """
    woo.list_ours(
        {"sku": "BAD", "list_price": "9.00", "images": "https://cdn.example/missing.jpg"},
        {"sku": "GOOD", "list_price": "9.00", "images": "https://cdn.example/good.jpg"},
    )

    run = woo.run("publish", result=None)

    assert run["result"] == "PARTIAL"
    [failed] = [row for row in run["actions"] if row["state"] == "FAILED"]
    assert failed["listing"]["sku"] == woo.sku("BAD")
    assert "missing.jpg" in failed["outcome"]["message"]
    assert "Not Found" in failed["outcome"]["message"]
    assert woo.link("GOOD") == "LINKED"
    since = woo.store.serial()
    woo.run("publish", full=True, result=None)
    assert [row for row in woo.store.requests(since) if row["method"] == "POST"] == []

    woo.upsert("BAD", fields={"images": ["https://cdn.example/mended.jpg"]})
    woo.run("publish")
    assert woo.link("BAD") == "LINKED"


@feature("T8")
def test_variants_that_cannot_be_told_apart_name_their_options(woo: Shop[WooStore]) -> None:
    """A variant without a value for an option is refused with the option's name.

    Nothing half is left.
    """
    woo.upsert(
        "TEE",
        fields={"title": "Tee"},
        optionNames=["Size", "Color"],
        variants=[
            {
                "sku": woo.sku("TEE-S"),
                "fields": {"list_price": {"amount": "9", "currency": "EUR"}},
                "options": [{"name": "Size", "value": "S"}],
            },
            {
                "sku": woo.sku("TEE-M"),
                "fields": {"list_price": {"amount": "9", "currency": "EUR"}},
                "options": [{"name": "Size", "value": "M"}, {"name": "Color", "value": "Red"}],
            },
        ],
    )

    run = woo.run("publish", result=None)

    assert run["result"] in {"FAILED", "PARTIAL"}
    text = str([row["outcome"] for row in run["actions"]]) + woo.reasons("TEE-S")
    assert woo.sku("TEE-S") in text
    assert "Color" in text
    assert woo.store.products() == {}


@feature("T8", "W4")
def test_a_variation_the_store_refuses_takes_nothing_half_made_with_it(open_shop: Open) -> None:
    """A refused variation fails the product with its reason, and the draft is taken back."""
    shop: Shop[WooStore] = open_shop()
    shop.connect()
    shop.store.create({"name": "Owner", "sku": "owner", "global_unique_id": "4006381333931"})
    rows = _tee()
    rows[2]["gtin"] = "4006381333931"
    shop.list_ours(*rows, {"sku": "MUG", "list_price": "5.00"})

    run = shop.run("publish", result=None)

    assert run["result"] == "PARTIAL"
    [failed] = [row for row in run["actions"] if row["state"] == "FAILED"]
    assert shop.sku("TEE-M") in failed["outcome"]["message"]
    assert set(shop.store.products()) == {"owner", shop.sku("MUG")}

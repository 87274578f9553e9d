"""Addresses as people paste them, and the signature over plain http."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.woocommerce.oauth import signed
from adapters.woocommerce.settings import base_url
from tests.adapters.shops import WooShop, everything

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("pasted", "expected"),
    [
        ("mystore.com", "https://mystore.com"),
        (" https://MyStore.com/ ", "https://mystore.com"),
        ("mystore.com/shop/", "https://mystore.com/shop"),
        ("https://mystore.com/shop/wp-json/wc/v3", "https://mystore.com/shop"),
        ("https://mystore.com/wp-json/", "https://mystore.com"),
        ("https://mystore.com/wp-admin/admin.php?page=wc-settings", "https://mystore.com"),
        ("https://mystore.com//shop//?x=1#top", "https://mystore.com/shop"),
        ("https://mystore.com:443/", "https://mystore.com"),
        ("http://127.0.0.1:8090/", "http://127.0.0.1:8090"),
        ("http://localhost", "http://localhost"),
        ("//mystore.com", "https://mystore.com"),
        ("https://käse.example", "https://xn--kse-qla.example"),
        ("http://[::1]:8090", "http://[::1]:8090"),
        ("mystore.com.", "https://mystore.com"),
    ],
)
def test_base_url(pasted: str, expected: str) -> None:
    """The site's address comes out of whatever is pasted, and stays as it is the second time."""
    assert base_url(pasted) == expected
    assert base_url(expected) == expected


@pytest.mark.parametrize(
    "pasted",
    ["", "  ", "ftp://mystore.com", "https://", "https://user:pw@mystore.com", "my store.com",
     "https://mystore.com:port", "https://-x-.com", "file:///etc/passwd", "https://[::1"],
)  # fmt: skip
def test_unusable_addresses(pasted: str) -> None:
    """What is no address is refused with a sentence that shows what one looks like."""
    with pytest.raises(ValueError, match="domain"):
        base_url(pasted)


@given(st.text())
def test_base_url_never_breaks(pasted: str) -> None:
    """Any text gives an address or a ValueError."""
    try:
        found = base_url(pasted)
    except ValueError:
        return
    assert found.startswith(("https://", "http://"))
    assert base_url(found) == found


def test_signature_is_the_known_one() -> None:
    """The signature of a fixed request, computed once by hand from RFC 5849's rules."""
    found = signed(
        "get",
        "http://shop.example/wp-json/wc/v3/products",
        {"sku": "A B,C", "_fields": "id"},
        key="ck_1",
        secret="cs_2",
        timestamp=1_700_000_000,
        nonce="n",
    )
    assert found["oauth_signature"] == EXPECTED
    assert found["oauth_signature_method"] == "HMAC-SHA256"
    assert "cs_2" not in repr(found)


EXPECTED = "PGEnUbenTK9Aq1RvP1x9RbqHPC0UPx7sOeUMDSfDp/c="


@pytest.mark.parametrize("how", ["auto", "oauth"])
async def test_plain_http_is_signed(how: str) -> None:
    """A plain http store opens to signed requests, each with a nonce of its own."""
    shop = WooShop.open(
        [{"name": "Mug & co", "sku": "A,B"}],
        options={"treat_as_https": False},
        authentication=how,
    )
    shop.url = "http://shop.example"
    adapter = shop.adapter()
    assert len(await everything(adapter)) == 1
    assert len(await everything(adapter)) == 1
    assert (await adapter.connect_check()).scopes == {"read", "write"}


@pytest.mark.parametrize("how", ["basic", "query"])
async def test_forced_authentication(how: str) -> None:
    """Basic and keys in the query can be forced, and open a store that takes itself for https."""
    shop = WooShop.open([{"name": "Mug", "sku": "M"}], authentication=how)
    shop.url = "http://shop.example"
    assert len(await everything(shop.adapter())) == 1

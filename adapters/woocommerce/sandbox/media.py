"""The media library: pictures fetched from addresses, kept by id, shown on products.

Downloads are simulated: which hosts answer is a matter of the options, and nothing is fetched.
"""

import base64
import posixpath
import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import SplitResult, quote, urlsplit

from adapters.sandbox import Json
from adapters.woocommerce.sandbox.errors import ApiError
from adapters.woocommerce.sandbox.fields import id_of
from adapters.woocommerce.sandbox.items import Item, Media
from adapters.woocommerce.sandbox.store import Store
from adapters.woocommerce.sandbox.text import php_text

_PORTS = (None, 80, 443, 8080)  # WordPress fetches from no other
UPLOADS = "/wp-content/uploads/"
ASSETS = "/wp-content/plugins/woocommerce/assets/images/"
ASSET_FILES = frozenset({"calendar.png", "help.png", "icons/loader.png"})
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def is_served(store: Store, path: str) -> bool:
    """Say whether the store's own web server has a picture at this path."""
    if path.startswith(UPLOADS):
        return path.removeprefix(UPLOADS) in store.files
    return path.startswith(ASSETS) and path.removeprefix(ASSETS) in ASSET_FILES


def _failure(store: Store, address: str, base: str) -> str | None:
    """Say why a picture cannot be fetched, in WordPress's words; nothing if it can."""
    parts = urlsplit(address)
    host, refused = (parts.hostname or "").lower(), "A valid URL was not provided."
    if "missing" in address:
        return "Not Found"
    if parts.netloc and parts.netloc == urlsplit(base).netloc:
        return None if is_served(store, parts.path) else "Not Found"
    if host in store.options.image_hosts:
        return None
    is_fetched = host.endswith(".example") and _port(parts) in _PORTS
    return None if is_fetched else refused


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        return 0


def _address(src: Json) -> str:
    """Clean an address the way WordPress does: blanks encoded, `http://` put before a bare name."""
    text = quote(php_text(src).strip(), safe="%/:=&?~#+!$,;'@()*[]")
    return text if not text or re.match(r"[a-z][a-z0-9+.-]*:|/", text) else f"http://{text}"


def fetch(store: Store, src: Json, base: str, error_code: str) -> Media:
    """Put a new copy of the picture at an address into the library, whatever is there already."""
    address = _address(src)
    if (why := _failure(store, address, base)) is not None:
        words = f"Error getting remote image {address}. Error: {why}"
        raise ApiError(error_code, words, 400)
    stem, ending = posixpath.splitext(posixpath.basename(urlsplit(address).path) or "image")
    now = store.now()
    folder, number = f"{now:%Y/%m}", 0
    name = f"{stem}{ending or '.png'}"
    while f"{folder}/{name}" in store.files:
        number += 1
        name = f"{stem}-{number}{ending or '.png'}"
    media = Media(store.next_id("post"), f"{folder}/{name}", name, "", now)
    store.media[media.id] = media
    store.files.add(media.file)
    return media


def take(store: Store, image: dict[str, Json], base: str, error_code: str) -> Media:
    """Return the picture that one entry of `images` means: by id, or fetched anew."""
    media_id = id_of(image.get("id"))
    if media_id == 0 and image.get("src") is not None:
        media_id = fetch(store, image["src"], base, error_code).id
    media = store.media.get(media_id)
    if media is None:
        kind = "variation" if "variation" in error_code else "product"
        words = f"#{media_id} is an invalid image ID."
        raise ApiError(f"woocommerce_{kind}_invalid_image_id", words, 400)
    for name in ("name", "alt"):
        if image.get(name):
            setattr(media, name, php_text(image[name]))
    return media


def set_images(store: Store, item: Item, images: Json, base: str) -> None:
    """Replace the pictures of a product; one that fails fails the whole."""
    entries = [entry for entry in images if entry] if isinstance(images, list) else []
    code = "woocommerce_product_image_upload_error"
    known = set(store.media)
    try:
        taken = [take(store, e if isinstance(e, dict) else {}, base, code) for e in entries]
    except ApiError:
        if item.id == 0:  # a failed create takes back what it fetched
            for media_id in [*store.media.keys() - known]:
                store.files.discard(store.media.pop(media_id).file)
        raise
    item.image_ids = [media.id for media in taken]


def shown(store: Store, media_id: int, base: str) -> dict[str, Json] | None:
    """Show a picture; its local dates are shifted twice, as on the real platform."""
    media = store.media.get(media_id)
    if media is None:
        return None
    write: Callable[..., str | None] = store.time.local
    offset = media.created.astimezone(store.time.zone).utcoffset() or timedelta(0)
    src = f"{base}{UPLOADS}{media.file}"
    local, gmt = write(media.created + offset), store.time.gmt(media.created)
    return {
        "id": media.id,
        "date_created": local,
        "date_created_gmt": gmt,
        "date_modified": local,
        "date_modified_gmt": gmt,
        "src": src,
        "name": media.name,
        "alt": media.alt,
        "srcset": "",
        "sizes": "(max-width: 16px) 100vw, 16px",
        "thumbnail": src,
    }

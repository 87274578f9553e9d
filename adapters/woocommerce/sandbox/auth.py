"""Who asks: HTTP Basic and key parameters over TLS, OAuth 1.0a signatures over plain HTTP.

An unknown key is no error here but a request by nobody, which the routes then refuse.
"""

import base64
import binascii
import hashlib
import hmac
import re
from urllib.parse import quote, unquote

from adapters.sandbox import Clock, Json
from adapters.woocommerce.sandbox.errors import ApiError
from adapters.woocommerce.sandbox.options import Key, SandboxOptions
from adapters.woocommerce.sandbox.routing import Pairs

_WINDOW = 15 * 60
_HASHES = {"HMAC-SHA1": hashlib.sha1, "HMAC-SHA256": hashlib.sha256}
_NEEDED = ("consumer_key", "timestamp", "nonce", "signature", "signature_method")


def _refused(words: str) -> ApiError:
    return ApiError("woocommerce_rest_authentication_error", words, 401)


class Gate:
    """Checks keys and signatures, and remembers the nonces it has seen."""

    def __init__(self, options: SandboxOptions, clock: Clock) -> None:
        self._options = options
        self._keys = {key.consumer_key: key for key in options.keys}
        self._clock = clock
        self._nonces: dict[str, int] = {}

    def key_of(self, method: str, url: str, query: Pairs, header: str) -> Key | None:
        """Return the key that a request proves, nothing if it names none that is known."""
        key = None
        if self._options.treat_as_https:
            key = self._plain(dict(query), header)
        if key is None:
            key = self._signed(method, url, query, header)
        if key is not None and method != "OPTIONS":
            kind = "read" if method in ("GET", "HEAD") else "write"
            if kind not in key.permissions:
                raise _refused(f"The API key provided does not have {kind} permissions.")
        return key

    def _plain(self, query: dict[str, str], header: str) -> Key | None:
        name, secret = query.get("consumer_key", ""), query.get("consumer_secret", "")
        if not (name and secret) and header.lower().startswith("basic "):
            try:
                text = base64.b64decode(header[6:], validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                return None
            name, _, secret = text.partition(":")
        key = self._keys.get(name) if name and secret else None
        if key is not None and not hmac.compare_digest(key.consumer_secret, secret):
            raise _refused("Consumer secret is invalid.")
        return key

    def _signed(self, method: str, url: str, query: Pairs, header: str) -> Key | None:
        signed = [*query]
        if header.lower().startswith("oauth "):
            found = re.findall(r'(\w+)="([^"]*)"', header)
            signed += [(name, unquote(value)) for name, value in found if name != "realm"]
        oauth = {name[6:]: value for name, value in signed if name.startswith("oauth_")}
        if not any(oauth.get(name) for name in _NEEDED):
            return None
        if missing := [f"oauth_{name}" for name in _NEEDED if not oauth.get(name)]:
            plural = "s" if len(missing) > 1 else ""
            raise _refused(f"Missing OAuth parameter{plural} {', '.join(missing)}")
        key = self._keys.get(oauth["consumer_key"])
        if key is None:
            raise _refused("Consumer key is invalid.")
        self._check_signature(key, method, url, signed, oauth)
        self._check_nonce(oauth)
        return key

    def _check_signature(
        self, key: Key, method: str, url: str, signed: Pairs, oauth: dict[str, str]
    ) -> None:
        if oauth["signature_method"] not in _HASHES:
            raise _refused("Invalid signature - signature method is invalid.")
        pairs = sorted((_enc(n), _enc(v)) for n, v in signed if n != "oauth_signature")
        text = "&".join(f"{name}={value}" for name, value in pairs)
        secret = f"{key.consumer_secret}&".encode()
        for scheme in ("http", "https"):  # the store signs with its own idea of its address
            address = re.sub(r"^https?", scheme, url)
            base_text = f"{method}&{_enc(address)}&{_enc(text)}".encode()
            made = hmac.new(secret, base_text, _HASHES[oauth["signature_method"]]).digest()
            if hmac.compare_digest(base64.b64encode(made).decode(), oauth["signature"]):
                return
        raise _refused("Invalid signature - provided signature does not match.")

    def _check_nonce(self, oauth: dict[str, str]) -> None:
        now = int(self._clock.now().timestamp())
        sent = int(oauth["timestamp"]) if oauth["timestamp"].isdigit() else 0
        if abs(now - sent) > _WINDOW:
            raise _refused("Invalid timestamp.")
        self._nonces = {n: at for n, at in self._nonces.items() if now - at <= _WINDOW}
        if oauth["nonce"] in self._nonces:
            raise _refused("Invalid nonce - nonce has already been used.")
        self._nonces[oauth["nonce"]] = sent


def _enc(text: str) -> str:
    return quote(text, safe="~")


def refuse_nobody(action: str) -> ApiError:
    """Return the refusal of a request without a key."""
    words: dict[str, Json] = {
        "view": "Sorry, you cannot list resources.",
        "read": "Sorry, you cannot view this resource.",
        "create": "Sorry, you are not allowed to create resources.",
        "edit": "Sorry, you are not allowed to edit this resource.",
        "delete": "Sorry, you are not allowed to delete this resource.",
        "batch": "Sorry, you are not allowed to batch manipulate this resource.",
    }
    code = "view" if action == "read" else action
    return ApiError(f"woocommerce_rest_cannot_{code}", str(words[action]), 401)

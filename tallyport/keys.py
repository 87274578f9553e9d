"""Encrypts channel credentials at rest, with keys from the settings or a key file.

Several keys may be given: the first encrypts, all decrypt. No key and no plain text ever reaches a
message or a repr.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from tallyport.services.errors import ServicesError
from tallyport.services.layout import prepare_data_dir
from tallyport.services.locks import FileLock
from tallyport.settings import Settings

KEY_FILE = "secret.key"

_RACE_SECONDS = 10.0


class SecretKeyError(RuntimeError):
    """The secret keys cannot be used; the text says what to do and shows no key."""


class WrongKeyError(SecretKeyError):
    """What was to be decrypted was encrypted with another key, or is damaged."""


class Cipher:
    """Encrypts with the first of its keys and decrypts with any of them."""

    __slots__ = ("_fernet",)

    def __init__(self, keys: Sequence[str]) -> None:
        """Take Fernet keys, the one to encrypt with first, or raise SecretKeyError."""
        given = [key.strip() for key in keys if key.strip()]
        if not given:
            raise SecretKeyError("There is no secret key. Make one with: " + _MAKE_KEY)
        fernets = []
        for position, key in enumerate(given, start=1):
            try:
                fernets.append(Fernet(key))
            except ValueError:
                # The cause names nothing secret today; it is cut off so that it never can.
                raise SecretKeyError(
                    f"Secret key {position} of {len(given)} is not 32 bytes in URL-safe base64. "
                    f"Make one with: {_MAKE_KEY}"
                ) from None
        self._fernet = MultiFernet(fernets)

    def encrypt(self, value: bytes | Mapping[str, object]) -> bytes:
        """Return the value encrypted with the first key; a mapping is written as JSON first."""
        return self._fernet.encrypt(
            value if isinstance(value, bytes) else orjson.dumps(dict(value))
        )

    def decrypt(self, token: bytes) -> bytes:
        """Return what was encrypted, or raise WrongKeyError."""
        try:
            return self._fernet.decrypt(token)
        except InvalidToken:
            raise WrongKeyError(_WRONG_KEY) from None

    def decrypt_fields(self, token: bytes) -> dict[str, object]:
        """Return the mapping that was encrypted, or raise WrongKeyError."""
        plain = self.decrypt(token)
        try:
            fields = orjson.loads(plain)
        except orjson.JSONDecodeError:
            fields = None
        if not isinstance(fields, dict):
            # The parser's own error quotes its input, which is the secret.
            raise SecretKeyError("What was decrypted is not a set of fields.")
        return fields

    def rotate(self, token: bytes) -> bytes:
        """Return the same content under the first key, its time kept, or raise WrongKeyError."""
        try:
            return self._fernet.rotate(token)
        except InvalidToken:
            raise WrongKeyError(_WRONG_KEY) from None

    def __repr__(self) -> str:
        """Show nothing."""
        return "Cipher()"


def open_cipher(settings: Settings) -> Cipher:
    """Return the cipher of these settings; the key file is made on first use."""
    if settings.secret_keys is not None:
        return Cipher(settings.secret_keys.get_secret_value().split(","))
    try:
        layout = prepare_data_dir(settings.data_dir)
    except ServicesError as error:
        raise SecretKeyError(f"{error} Or set TALLYPORT_SECRET_KEYS.") from error
    path = layout.data_dir / KEY_FILE
    try:
        return Cipher(_read_or_make(path).split(","))
    except OSError as error:
        raise SecretKeyError(
            f"The key file {path} cannot be used ({error.strerror}). Run Tallyport as the user "
            "that made it, or set TALLYPORT_SECRET_KEYS."
        ) from error


def _read_or_make(path: Path) -> str:
    """Return the key file's content; racing processes all get the key of the first."""
    if not path.exists():
        with FileLock(path.with_suffix(".lock")) as lock:
            if not lock.wait(_RACE_SECONDS):
                raise SecretKeyError(
                    f"Another process holds {lock.path} for too long. End it, then try again."
                )
            if not path.exists():
                _make(path)
    if path.stat().st_mode & 0o077:
        raise SecretKeyError(f"The key file {path} is open to others. Run: chmod 600 {path}")
    text = path.read_text(encoding="ascii", errors="replace").strip()
    if not text:
        # Making a new one would turn every stored credential into noise without a word.
        raise SecretKeyError(
            f"The key file {path} is empty. Restore it from a backup; if there is none, remove it "
            "and connect each channel again."
        )
    return ",".join(text.split())


def _make(path: Path) -> None:
    """Write a new key so that the file appears whole and is on the disk."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(Fernet.generate_key() + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    fresh.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


_MAKE_KEY = (
    'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
)
_WRONG_KEY = (
    "This was encrypted with another secret key. Put the earlier key back: behind the new one in "
    f"TALLYPORT_SECRET_KEYS, or as {KEY_FILE} in the data directory."
)

"""Encryption of credentials: key files, races, rotation, and errors that show nothing."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from tallyport.keys import Cipher, SecretKeyError, WrongKeyError, open_cipher
from tallyport.settings import Settings

ROOT = Path(__file__).parents[2]
FIELDS = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 9))


def key() -> str:
    """Return a new key."""
    return Fernet.generate_key().decode()


def with_file(data_dir: Path) -> Settings:
    """Return settings without keys, so that the key file is used."""
    return Settings(data_dir=data_dir, secret_keys=None)


@given(plain=st.binary(), fields=FIELDS)
def test_what_was_encrypted_comes_back(plain: bytes, fields: dict[str, object]) -> None:
    """Bytes and sets of fields come back as they were."""
    cipher = Cipher([key()])
    assert cipher.decrypt(cipher.encrypt(plain)) == plain
    assert cipher.decrypt_fields(cipher.encrypt(fields)) == fields


def test_wrong_key_is_named_as_such() -> None:
    """Another key gives an error that says what to do and shows neither key nor content."""
    token = Cipher([key()]).encrypt({"secret": "hunter2"})
    other = key()
    with pytest.raises(WrongKeyError, match="TALLYPORT_SECRET_KEYS") as caught:
        Cipher([other]).decrypt_fields(token)
    assert other not in str(caught.value)
    assert caught.value.__cause__ is None


def test_damaged_content_is_an_error() -> None:
    """Content that was cut is refused rather than returned."""
    cipher = Cipher([key()])
    with pytest.raises(WrongKeyError):
        cipher.decrypt(cipher.encrypt(b"content")[:-5])


def test_fields_are_required_where_asked_for() -> None:
    """Content that is no set of fields is refused without quoting it."""
    cipher = Cipher([key()])
    with pytest.raises(SecretKeyError) as caught:
        cipher.decrypt_fields(cipher.encrypt(b"hunter2"))
    assert "hunter2" not in str(caught.value)


def test_keys_can_be_rotated() -> None:
    """With the new key in front old content is read, and rotated content needs the new key only."""
    old, new = key(), key()
    token = Cipher([old]).encrypt(b"content")
    both = Cipher([new, old])
    assert both.decrypt(token) == b"content"
    assert Cipher([new]).decrypt(both.rotate(token)) == b"content"
    assert Cipher([new]).decrypt(both.encrypt(b"more")) == b"more"
    with pytest.raises(WrongKeyError):
        Cipher([new]).rotate(token)


@pytest.mark.parametrize("keys", [[], ["", " "], ["hunter2"], ["hunter2é"]])
def test_unusable_keys_are_refused(keys: list[str]) -> None:
    """Keys that are missing or malformed are refused with how to make one, unseen."""
    with pytest.raises(SecretKeyError, match=r"Fernet\.generate_key") as caught:
        Cipher(keys)
    assert "hunter2" not in str(caught.value)


def test_repr_shows_nothing() -> None:
    """The repr of a cipher holds no key."""
    made = key()
    assert made not in repr(Cipher([made]))


def test_given_keys_need_no_file(tmp_path: Path) -> None:
    """With keys in the settings no directory is made."""
    keys = SecretStr(f" {key()} , {key()} ")
    open_cipher(Settings(data_dir=tmp_path / "none", secret_keys=keys))
    assert not (tmp_path / "none").exists()


def test_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    """The first use makes a key file for its owner alone; later uses read the same key."""
    token = open_cipher(with_file(tmp_path)).encrypt(b"content")
    path = tmp_path / "secret.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_cipher(with_file(tmp_path)).decrypt(token) == b"content"


def test_racing_processes_get_the_same_key(tmp_path: Path) -> None:
    """Processes that use a new directory at the same moment end up with one key."""
    script = (
        "import sys\nfrom pathlib import Path\nfrom tallyport.keys import open_cipher\n"
        "from tallyport.settings import Settings\n"
        "cipher = open_cipher(Settings(data_dir=Path(sys.argv[1]), secret_keys=None))\n"
        "print(cipher.encrypt(b'content').decode())"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
        )
        for _ in range(4)
    ]
    tokens = [process.communicate(timeout=60)[0].strip() for process in started]
    cipher = open_cipher(with_file(tmp_path))
    assert [cipher.decrypt(token) for token in tokens] == [b"content"] * 4


def test_key_file_open_to_others_is_refused(tmp_path: Path) -> None:
    """A key file that others can read is refused with the command that mends it."""
    open_cipher(with_file(tmp_path))
    (tmp_path / "secret.key").chmod(0o644)
    with pytest.raises(SecretKeyError, match="chmod 600"):
        open_cipher(with_file(tmp_path))


def test_empty_key_file_is_not_replaced(tmp_path: Path) -> None:
    """An empty key file is an error: a new key would make every stored credential unreadable."""
    open_cipher(with_file(tmp_path))
    (tmp_path / "secret.key").write_text("")
    with pytest.raises(SecretKeyError, match="empty"):
        open_cipher(with_file(tmp_path))
    assert (tmp_path / "secret.key").read_text() == ""


def test_directory_that_cannot_work_is_refused(tmp_path: Path) -> None:
    """Without a usable data directory the error offers the other way to give keys."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SecretKeyError, match="TALLYPORT_SECRET_KEYS"):
        open_cipher(with_file(tmp_path / "file"))

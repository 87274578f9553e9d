"""Settings: what is read, what is refused, and that no secret shows."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from tallyport.settings import LogLevel, Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start each test with an environment without settings."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"TALLYPORT_{name.upper()}", raising=False)


def test_defaults_need_nothing() -> None:
    """Without any variable the settings are complete and stay on this machine."""
    settings = load_settings({})
    assert settings.database_url is None
    assert settings.redis_url is None
    assert settings.base_url == "http://127.0.0.1:8420"
    assert settings.data_dir.is_absolute()
    assert settings.allowed_hosts == ()


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each variable reaches its setting in its own type."""
    monkeypatch.setenv("TALLYPORT_DATABASE_URL", "postgres://u:p@db/shop")
    monkeypatch.setenv("TALLYPORT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("TALLYPORT_ALLOWED_HOSTS", " Shop.local:8080, 10.0.0.7 ,[::1]:99,")
    monkeypatch.setenv("TALLYPORT_LOG_LEVEL", "debug")
    monkeypatch.setenv("TALLYPORT_SETTLE_SECONDS", "0.5")
    monkeypatch.setenv("TALLYPORT_REDIS_URL", "")
    settings = load_settings()
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql+asyncpg://u:p@db/shop"
    assert settings.data_dir == tmp_path
    assert settings.allowed_hosts == ("shop.local:8080", "10.0.0.7", "[::1]:99")
    assert settings.log_level is LogLevel.DEBUG
    assert settings.settle_seconds == 0.5
    assert settings.redis_url is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://u:hunter2@db/shop"),
        ("REDIS_URL", "hunter2"),
        ("PORT", "hunter2"),
        ("PUBLIC_URL", "hunter2.example"),
        ("ALLOWED_HOSTS", "http://hunter2.example/"),
        ("ALLOWED_HOSTS", "shop.example:99999"),
        ("LOG_LEVEL", "hunter2"),
        ("SLICE_SECONDS", "600"),
        ("WORKER_CONCURRENCY", "0"),
    ],
)
def test_unusable_value_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A value that cannot be used is refused by the variable's name, without the value."""
    monkeypatch.setenv(f"TALLYPORT_{name}", value)
    with pytest.raises(SettingsError, match=f"TALLYPORT_{name} ") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_request_must_fit_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time-out as long as the lease is refused, since no request could leave."""
    monkeypatch.setenv("TALLYPORT_HTTP_TIMEOUT_SECONDS", "90")
    with pytest.raises(SettingsError, match="TALLYPORT_LEASE_SECONDS"):
        load_settings()


def test_misspelt_variable_is_noticed() -> None:
    """A variable that is nearly a setting is refused with the right name."""
    with pytest.raises(SettingsError, match="did you mean TALLYPORT_DATABASE_URL"):
        load_settings({"TALLYPORT_DATABASE_URI": "x"})


def test_other_variables_are_left_alone() -> None:
    """Variables of other programs, and those far from any setting, are no error."""
    load_settings({"TALLYPORT_TOKEN": "x", "DATABASE_URL": "x"})


def test_repr_shows_no_secret() -> None:
    """Neither addresses nor keys appear in the repr."""
    settings = Settings(
        database_url=SecretStr("postgresql://u:hunter2@db/shop"),
        redis_url=SecretStr("redis://:hunter2@cache/0"),
        secret_keys=SecretStr("hunter2"),
    )
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings)


def test_settings_are_immutable() -> None:
    """A setting cannot be changed after it was read."""
    with pytest.raises(ValidationError):
        load_settings({}).port = 1


def test_base_url_prefers_the_public_one() -> None:
    """People are shown the public address where there is one, and IPv6 hosts in brackets."""
    assert Settings(public_url="https://t.example/").base_url == "https://t.example"
    assert Settings(host="::1", port=1).base_url == "http://[::1]:1"

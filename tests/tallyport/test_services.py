"""The embedded servers under kills, restarts, several users and unusable directories."""

import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import redis
from arq.connections import RedisSettings
from pydantic import SecretStr

from tallyport.services import (
    Health,
    Server,
    ServicesError,
    open_services,
    services_status,
)
from tallyport.services.locks import FileLock, is_held
from tallyport.services.processes import all_left
from tallyport.settings import Settings
from tests.embedded_servers import (
    AS_ROOT,
    ROOT,
    USER,
    answers,
    as_servers_account,
    embedded,
    holder_lives,
    holder_of,
    kill,
    pid_of,
    pid_of_or_none,
    query,
    until,
    user_process,
)

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


@pytest.fixture(scope="module")
def used_dirs() -> Iterator[list[Path]]:
    """Yield a list of data directories and see to it that nothing runs in them at the end."""
    paths: list[Path] = []
    yield paths
    until(lambda: not any(holder_lives(path) for path in paths))


@pytest.fixture
def data_dir(tmp_path: Path, used_dirs: list[Path]) -> Path:
    """Return a data directory of this test's own."""
    used_dirs.append(tmp_path / "data")
    return tmp_path / "data"


def test_first_start_creates_both_servers(data_dir: Path) -> None:
    """A first start gives a durable UTF-8 database and a Valkey, on sockets alone."""
    with open_services(embedded(data_dir)) as services:
        assert query(services, "SELECT current_database()") == "tallyport"
        assert query(services, "SHOW fsync") == "on"
        assert query(services, "SHOW listen_addresses") == ""
        assert query(services, "SHOW server_encoding") == "UTF8"
        assert query(services, "SELECT upper('naïve é')") == "NAÏVE É"
        assert str(query(services, "SHOW server_version")).startswith("18.")
        with redis.Redis.from_url(services.redis_url) as client:
            assert client.config_get("port") == {"port": "0"}
            assert client.info("server")["valkey_version"].startswith("9.")


def test_addresses_suit_the_queue(data_dir: Path) -> None:
    """The queue's own settings take the address of the embedded Valkey."""
    with open_services(embedded(data_dir)) as services:
        path = RedisSettings.from_dsn(services.redis_url).unix_socket_path
        assert path is not None
        assert stat.S_ISSOCK(Path(path).stat().st_mode)


def test_given_addresses_are_passed_through(tmp_path: Path) -> None:
    """With both addresses given nothing is started and no directory is made."""
    settings = Settings(
        data_dir=tmp_path / "none",
        database_url=SecretStr("postgresql://u:p@db.example/shop"),
        redis_url=SecretStr("redis://cache.example:6379/3"),
    )
    with open_services(settings) as services:
        assert services.database_url == "postgresql+asyncpg://u:p@db.example/shop"
        assert services.redis_url == "redis://cache.example:6379/3"
        assert "p@db" not in repr(services)
    assert not (tmp_path / "none").exists()


def test_only_what_is_missing_is_run(data_dir: Path) -> None:
    """With a database given, Valkey alone runs, until another user needs PostgreSQL too."""
    partly = Settings(
        data_dir=data_dir,
        database_url=SecretStr("postgresql://u:p@db.example/shop"),
        redis_url=None,
    )
    with open_services(partly):
        assert not (data_dir / "services" / "postgres").exists()
        with open_services(embedded(data_dir)) as services:
            assert answers(services)


def test_servers_stop_with_the_last_user(data_dir: Path) -> None:
    """The servers stay while anyone uses them and end in order after the last has left."""
    first = open_services(embedded(data_dir))
    second = open_services(embedded(data_dir))
    postgres = pid_of(data_dir, Server.POSTGRES)
    first.close()
    first.close()
    time.sleep(2.5)
    assert answers(second)
    assert pid_of(data_dir, Server.POSTGRES) == postgres
    second.close()
    until(lambda: not holder_lives(data_dir))
    assert not (data_dir / "services" / "postgres" / "postmaster.pid").exists()
    assert {s.health for s in services_status(embedded(data_dir)).servers} == {Health.STOPPED}


def test_quick_restart_finds_the_servers_running(data_dir: Path) -> None:
    """A user that comes back at once gets the servers it left."""
    with open_services(embedded(data_dir)):
        holder = holder_of(data_dir)
    with open_services(embedded(data_dir)):
        assert holder_of(data_dir) == holder


def test_two_processes_share_the_servers(data_dir: Path) -> None:
    """A second process with the same directory uses the same servers and may leave or be killed."""
    with open_services(embedded(data_dir)) as services:
        postgres = pid_of(data_dir, Server.POSTGRES)
        with user_process(data_dir) as other:
            assert pid_of(data_dir, Server.POSTGRES) == postgres
            other.kill()
            other.wait()
        time.sleep(2.5)
        assert answers(services)


def test_simultaneous_first_starts_agree(data_dir: Path) -> None:
    """Processes that start at the same moment in a new directory share one pair of servers."""
    script = USER.replace("sys.stdin.read()", "import time; time.sleep(1)")
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(data_dir)], cwd=ROOT, stdout=subprocess.PIPE
        )
        for _ in range(3)
    ]
    outputs = [process.communicate(timeout=60)[0] for process in started]
    assert outputs == [b"ready\n"] * 3
    assert [process.returncode for process in started] == [0, 0, 0]


def test_killed_user_does_not_keep_the_servers(data_dir: Path) -> None:
    """After kill -9 of the only user the servers stop."""
    with user_process(data_dir) as user:
        assert holder_lives(data_dir)
        user.kill()
        user.wait()
        until(lambda: not holder_lives(data_dir))
    assert all_left(data_dir / "services" / "postgres", 0)


def test_killed_postgres_comes_back(data_dir: Path) -> None:
    """After kill -9 of PostgreSQL the holder starts it again, and a committed row is there."""
    with open_services(embedded(data_dir)) as services:
        query(services, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)")
        killed = pid_of(data_dir, Server.POSTGRES)
        kill(killed)
        until(lambda: pid_of_or_none(data_dir, Server.POSTGRES) not in {None, killed})
        until(lambda: answers(services))
        assert query(services, "SELECT n FROM kept") == 7


def test_killed_valkey_comes_back(data_dir: Path) -> None:
    """After kill -9 of Valkey the holder starts it again at the same address."""
    with open_services(embedded(data_dir)) as services:
        kill(pid_of(data_dir, Server.VALKEY))
        until(lambda: answers(services))


def test_killed_holder_is_replaced_under_a_living_user(data_dir: Path) -> None:
    """After kill -9 of the holder a living user gets new servers at the same addresses."""
    with open_services(embedded(data_dir)) as services:
        query(services, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)")
        killed = holder_of(data_dir)
        kill(killed)
        until(lambda: holder_of(data_dir) not in {None, killed})
        until(lambda: answers(services))
        assert query(services, "SELECT n FROM kept") == 7


@LINUX
def test_killed_holder_leaves_no_servers(data_dir: Path) -> None:
    """After kill -9 of user and holder both servers end by themselves; the next start works."""
    with user_process(data_dir) as user:
        user.kill()
        user.wait()
        kill(holder_of(data_dir))
    assert all_left(data_dir / "services" / "postgres", 15)
    assert all_left(data_dir / "services" / "valkey", 15)
    with open_services(embedded(data_dir)) as services:
        assert answers(services)


def test_committed_row_survives_the_kill_of_everything(data_dir: Path) -> None:
    """A row committed a moment before kill -9 of user, holder and servers is there afterwards."""
    with user_process(data_dir) as user:
        with open_services(embedded(data_dir)) as services:
            query(services, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)")
            victims = [
                user.pid,
                holder_of(data_dir),
                pid_of(data_dir, Server.POSTGRES),
                pid_of(data_dir, Server.VALKEY),
            ]
            for pid in victims:
                kill(pid)
        user.wait()
    with open_services(embedded(data_dir)) as services:
        assert query(services, "SELECT n FROM kept") == 7


@LINUX
def test_stale_pid_file_of_another_process_is_cleared(data_dir: Path) -> None:
    """A pid file left by a power cut does not hinder the start although its number is in use."""
    with open_services(embedded(data_dir)):
        pass
    until(lambda: not holder_lives(data_dir))
    pid_file = data_dir / "services" / "postgres" / "postmaster.pid"
    with as_servers_account(data_dir) as foreign:
        pid_file.write_text(f"{foreign}\n{data_dir}\n")
        with open_services(embedded(data_dir)) as services:
            assert answers(services)


def test_cut_first_start_is_begun_anew(data_dir: Path) -> None:
    """What a first start left when it was cut short is thrown away."""
    half = data_dir / "services" / "postgres-new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with open_services(embedded(data_dir)) as services:
        assert answers(services)
    assert not half.exists()


def test_removed_data_directory_ends_the_servers(data_dir: Path) -> None:
    """Removing the directory under running servers ends them instead of leaving them behind."""
    services = open_services(embedded(data_dir))
    postgres = pid_of(data_dir, Server.POSTGRES)

    def removed() -> bool:
        # The servers go on writing files into it meanwhile.
        shutil.rmtree(data_dir, ignore_errors=True)
        return not data_dir.exists()

    until(removed)
    until(lambda: not Path(f"/proc/{postgres}").exists())
    services.close()


@pytest.mark.skipif(not AS_ROOT, reason="needs root")
def test_servers_of_root_run_without_privileges(data_dir: Path) -> None:
    """Started by root, neither server runs as root, and no parent directory is opened to them."""
    parents = list(data_dir.parents)
    before = [path.stat().st_mode for path in parents]
    with open_services(embedded(data_dir)):
        for server in Server:
            status = Path(f"/proc/{pid_of(data_dir, server)}/status").read_text()
            fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
            assert "0" not in fields["Uid"].split()
            assert "0" not in fields["Gid"].split()
            assert fields["Groups"].strip() == ""
    assert [path.stat().st_mode for path in parents] == before


def test_nobody_else_can_reach_the_servers(data_dir: Path) -> None:
    """Data, sockets, password and log are closed to every other account."""
    with open_services(embedded(data_dir)) as services:
        private = [data_dir / "services" / name for name in ("postgres", "valkey")]
        private += [data_dir / "services" / name for name in ("postgres.password", "services.log")]
        private.append(Path(services.redis_url.removeprefix("unix://").partition("?")[0]).parent)
        for path in private:
            assert path.stat().st_mode & 0o077 == 0, path


def test_reachable_directory_keeps_everything_inside() -> None:
    """Where the servers' account may go, sockets and data are both in the data directory."""
    top = Path(tempfile.mkdtemp(prefix="tallyport-test-"))
    try:
        top.chmod(0o755)
        with open_services(embedded(top / "data")) as services:
            assert str(top / "data" / "services" / "sockets") in services.database_url
            assert answers(services)
        until(lambda: not holder_lives(top / "data"))
    finally:
        shutil.rmtree(top)


def test_long_and_odd_directory_names_work(tmp_path: Path, used_dirs: list[Path]) -> None:
    """A path too long for a socket address, with blanks and commas in it, works all the same."""
    data_dir = tmp_path / ("it's, long " * 8) / "é"
    used_dirs.append(data_dir)
    with open_services(embedded(data_dir)) as services:
        assert answers(services)


@pytest.mark.parametrize("below", ["", "deeper"])
def test_directory_on_a_file_is_refused(tmp_path: Path, below: str) -> None:
    """A file where the directory should be is refused with the way out."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ServicesError, match="TALLYPORT_DATA_DIR"):
        open_services(embedded(tmp_path / "file" / below))


def test_read_only_directory_is_refused() -> None:
    """A directory that takes no files is refused with the way out."""
    with pytest.raises(ServicesError, match="TALLYPORT_DATA_DIR"):
        open_services(embedded(Path("/proc/tallyport")))


def test_data_of_another_version_is_refused(data_dir: Path) -> None:
    """Data made by another PostgreSQL is named and left alone."""
    with open_services(embedded(data_dir)):
        pass
    until(lambda: not holder_lives(data_dir))
    version = data_dir / "services" / "postgres" / "PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(ServicesError, match="made by PostgreSQL 17"):
        open_services(embedded(data_dir))
    version.write_text("18\n")
    with open_services(embedded(data_dir)) as services:
        assert answers(services)


def test_broken_configuration_says_where_to_look(data_dir: Path) -> None:
    """A PostgreSQL that cannot start fails within seconds, naming the log and its last lines."""
    with open_services(embedded(data_dir)):
        pass
    until(lambda: not holder_lives(data_dir))
    with (data_dir / "services" / "postgres" / "postgresql.conf").open("a") as stream:
        stream.write("nonsense = 1\n")
    with pytest.raises(ServicesError, match=r"services\.log(.|\n)*nonsense"):
        open_services(embedded(data_dir))


def test_status_starts_nothing(tmp_path: Path) -> None:
    """Looking at the servers of a directory that was never used makes nothing."""
    status = services_status(embedded(tmp_path / "data"))
    assert status.holder_pid is None
    assert {s.health for s in status.servers} == {Health.STOPPED}
    assert not (tmp_path / "data").exists()


def test_status_of_running_servers(data_dir: Path) -> None:
    """The status names the processes and says that both are ready."""
    with open_services(embedded(data_dir)):
        status = services_status(embedded(data_dir))
        assert status.holder_pid == holder_of(data_dir)
        assert {s.server: s.pid for s in status.servers} == {
            server: pid_of(data_dir, server) for server in Server
        }
        assert {s.health for s in status.servers} == {Health.READY}


def test_password_stays_out_of_the_log(data_dir: Path) -> None:
    """Neither the password nor the values of a failing statement reach the log."""
    with open_services(embedded(data_dir)) as services:
        with pytest.raises(asyncpg.PostgresError):
            query(
                services,
                "CREATE TABLE buyers (mail text PRIMARY KEY)",
                "INSERT INTO buyers VALUES ('ada@example.com')",
                "INSERT INTO buyers VALUES ('ada@example.com')",
            )
        password = (data_dir / "services" / "postgres.password").read_text().strip()
    log = (data_dir / "services" / "services.log").read_text()
    assert "buyers_pkey" in log
    assert "ada@example.com" not in log
    assert password not in log


def test_lock_is_released_by_kill(tmp_path: Path) -> None:
    """A file lock of a killed process is free again."""
    path = tmp_path / "lock"
    script = (
        "import sys\nfrom pathlib import Path\nfrom tallyport.services.locks import FileLock\n"
        "lock = FileLock(Path(sys.argv[1]))\nprint(lock.take(), flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"True\n"
        assert is_held(path)
        process.kill()
        process.wait()
    with FileLock(path) as lock:
        assert lock.take()

"""Tests of the wiring: what the runtime is handed does what it promises, on the real parts."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import redis.asyncio as aioredis
from pydantic import SecretStr
from sqlalchemy import text

from adapters.registry import PLATFORMS
from reconcile.contract import BudgetObservation, RateLimitedError
from reconcile.core.types import Side
from tallyport.bootstrap import first_tokens
from tallyport.doorbell import QueueDoorbell, redis_settings
from tallyport.services import Services
from tallyport.settings import Settings
from tallyport.wiring import create_engine, open_deps, tuning

pytestmark = pytest.mark.anyio


@pytest.fixture
def services_here(database_url: str, redis_url: str) -> Services:
    """The servers of this test."""
    return Services(database_url, redis_url, None)


async def test_the_parts_work_together(settings: Settings, services_here: Services) -> None:
    """Database, cipher and platforms are there and usable."""
    async with open_deps(settings, services_here) as deps:
        async with deps.engine.connect() as conn:
            assert (await conn.execute(text("SELECT 1"))).scalar_one() == 1
        secret = deps.cipher.encrypt({"consumer_secret": "cs_1"})
        assert b"cs_1" not in secret
        assert deps.cipher.decrypt(secret) == {"consumer_secret": "cs_1"}
        assert deps.platforms is PLATFORMS


async def test_requests_go_to_allowed_addresses_only(
    settings: Settings, services_here: Services
) -> None:
    """A transport refuses this machine's own addresses unless the operator allows them."""
    async with open_deps(settings, services_here) as deps:
        transport = deps.transport(0, PLATFORMS["woocommerce"], None)
        with pytest.raises(httpx.ConnectError, match="operator"):
            await transport.http.get("https://127.0.0.1:9/")


async def test_the_budget_is_shared_by_all_transports_of_a_channel(
    settings: Settings, services_here: Services
) -> None:
    """What one transport learns holds for another one of the same channel, and no other."""
    async with open_deps(settings, services_here) as deps:
        one, two = (deps.transport(7, PLATFORMS["woocommerce"], None) for _ in range(2))
        other = deps.transport(8, PLATFORMS["woocommerce"], None)
        await one.learn(BudgetObservation(blocked_for=timedelta(seconds=60)))
        with pytest.raises(RateLimitedError):
            await two.acquire(1)
        await other.acquire(1)


async def test_a_ring_holds_ids_only_and_is_not_doubled(
    settings: Settings, services_here: Services
) -> None:
    """Two rings for the same side are one job, written as JSON."""
    async with open_deps(settings, services_here) as deps:
        await deps.doorbell.ring(3, Side.LISTINGS)
        await deps.doorbell.ring(3, Side.LISTINGS)
    async with aioredis.Redis.from_url(services_here.redis_url) as queue:
        keys = await queue.keys("arq:job:*")
        assert keys == [b"arq:job:drain:3:LISTINGS:0"]
        job = await queue.get(keys[0])
    assert job is not None
    assert job.startswith(b"{")


async def test_a_lost_queue_fails_no_command(database_url: str) -> None:
    """Ringing without Redis is noted and nothing else."""
    engine = create_engine(database_url)
    doorbell = QueueDoorbell(engine, "unix:///nowhere/valkey.sock?db=0")
    await doorbell.ring(1, Side.LISTINGS)
    await doorbell.ring_import(1)
    await doorbell.close()
    await engine.dispose()


async def test_first_tokens_are_made_once(settings: Settings, services_here: Services) -> None:
    """The first admin token is new once; the local one is kept while it works."""
    async with open_deps(settings, services_here) as deps:
        made = await first_tokens(deps, None)
        again = await first_tokens(deps, made.local)
        lost = await first_tokens(deps, None)

    assert made.first is not None
    assert (again.first, again.local) == (None, made.local)
    assert lost.first is None
    assert lost.local != made.local


def test_redis_addresses_of_every_kind() -> None:
    """Sockets, databases and passwords are understood."""
    unix = redis_settings("unix:///run/a%20b/valkey.sock?db=3")
    tcp = redis_settings("redis://:pw@cache.example:7000/2")

    assert (unix.unix_socket_path, unix.database) == ("/run/a b/valkey.sock", 3)
    assert (tcp.host, tcp.port, tcp.database, tcp.password) == ("cache.example", 7000, 2, "pw")


def test_the_settings_become_the_runtimes_times(tmp_path: Path) -> None:
    """Lease, slice, sweep, time-out and settle time arrive unchanged."""
    settings = Settings(
        data_dir=tmp_path,
        database_url=None,
        redis_url=None,
        secret_keys=SecretStr(""),
        lease_seconds=40,
        http_timeout_seconds=20,
        slice_seconds=5,
        sweep_seconds=0.5,
        settle_seconds=1,
    )
    times = tuning(settings)

    assert (times.lease, times.request_timeout) == (timedelta(seconds=40), timedelta(seconds=20))
    assert (times.slice, times.sweep) == (timedelta(seconds=5), timedelta(seconds=0.5))
    assert times.settle == timedelta(seconds=1)

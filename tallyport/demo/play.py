"""Starts an instance and sandbox stores, tells the story on each, and leaves nothing behind."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import orjson
import typer
from rich.console import Console

from adapters.registry import PLATFORMS
from reconcile.contract import Platform
from tallyport.client import ApiClient, ClientError
from tallyport.demo.catalog import catalog_file, read_products
from tallyport.demo.desk import Desk
from tallyport.demo.order_story import NEEDED_OFFERS, OrderStory, Side
from tallyport.demo.processes import Running, StartError
from tallyport.demo.shop import Shop
from tallyport.demo.stores import STORES
from tallyport.demo.story import Story, put_on_shelf, seed_of
from tallyport.demo.telling import Tally, Teller
from tallyport.local import read_local
from tallyport.services import services_status
from tallyport.settings import PREFIX, Settings

_END_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class _Sandbox:
    platform: Platform
    name: str
    url: str
    credentials: Mapping[str, str] = field(repr=False)


def play(console: Console, *, once: bool, as_json: bool, data_dir: Path | None) -> bool:
    """Play the demo; True when every count is as it should be."""
    started = time.monotonic()
    teller = Teller(console)
    tallies: list[Tally] = []
    try:
        with ExitStack() as stack:
            stack.enter_context(_interruptible())
            home = data_dir or stack.enter_context(_temporary_home())
            if (home / "data").exists():
                raise StartError(f"{home} holds an instance already; the demo needs a new place.")
            home.mkdir(parents=True, exist_ok=True)
            sandboxes, url, token = _start(stack, home, teller)
            with ApiClient(url, token) as api:
                for first, second in zip(sandboxes[::2], sandboxes[1::2], strict=True):
                    tally = Tally(first.platform.name)
                    tallies.append(tally)  # what was told stays when something fails
                    _tell(api, first, second, teller, tally)
            seconds = round(time.monotonic() - started, 1)
            teller.end(tallies, seconds)
            if as_json:
                _print_result(tallies, seconds, ok=not teller.problems)
            if not once:
                _stay(teller, url, token, sandboxes)
    except KeyboardInterrupt:
        teller.say("Stopped.")
        return not teller.problems and bool(tallies)
    except (ClientError, StartError) as error:
        teller.trouble(str(error))
        if as_json:
            _print_result(tallies, round(time.monotonic() - started, 1), ok=False)
        return False
    return not teller.problems


def _print_result(tallies: list[Tally], seconds: float, *, ok: bool) -> None:
    settled = bool(tallies) and all(tally.settled for tally in tallies)
    result = {
        "ok": ok and settled,
        "seconds": seconds,
        "channels": [tally.as_json() for tally in tallies],
    }
    typer.echo(orjson.dumps(result).decode())


def _start(stack: ExitStack, home: Path, teller: Teller) -> tuple[list[_Sandbox], str, str]:
    teller.chapter("Start PostgreSQL, Valkey, the API, a worker and two stores")
    environment = _environment(home)
    sandboxes = []
    for name, platform in PLATFORMS.items():
        if platform.sandbox is None or name not in STORES:
            continue
        # Two of each: what is sold in one is to be missing in the other.
        labels = (f"{name}-demo", f"{name}-second")
        starting = [
            stack.enter_context(
                Running(
                    f"The {platform.title} sandbox",
                    ["sandbox", name, "--json"],
                    environment,
                    home / f"{label}.log",
                )
            )
            for label in labels
        ]
        for label, process in zip(labels, starting, strict=True):
            said = process.ready()
            sandboxes.append(_Sandbox(platform, label, said["url"], said["credentials"]))
            teller.say(f"A simulated {platform.title} store is at {said['url']}")
    hosts = ",".join(urlsplit(sandbox.url).netloc for sandbox in sandboxes)
    environment[f"{PREFIX}ALLOWED_HOSTS"] = hosts
    stack.callback(_await_services_end, home / "data")
    instance = stack.enter_context(
        Running("Tallyport", ["up", "--port", "0", "--json"], environment, home / "up.log")
    )
    url = str(instance.ready()["url"])
    local = read_local(home / "data")
    if local is None:
        raise StartError("Tallyport came up without a token for this machine.")
    teller.say(f"Tallyport answers at {url}")
    return sandboxes, url, local.token


def _environment(home: Path) -> dict[str, str]:
    """An environment of its own: the operator's settings may name a database that is in use."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**kept, f"{PREFIX}DATA_DIR": str(home / "data")}


def _tell(api: ApiClient, first: _Sandbox, second: _Sandbox, teller: Teller, tally: Tally) -> None:
    store = STORES[first.platform.name](first.url)
    catalog = catalog_file()
    products = read_products(catalog)
    seeded = seed_of(products)
    put_on_shelf(store, seeded)
    shop = Shop(api, first.platform.name, first.name)
    story = Story(
        platform=first.platform,
        shop=shop,
        store=store,
        teller=teller,
        tally=tally,
        products=products,
        seeded=seeded,
    )
    story.tell(first.credentials, catalog)
    another = Shop(api, second.platform.name, second.name)
    another.connect(second.credentials)
    orders = OrderStory(
        platform=first.platform,
        here=Side(shop, store, Desk(api, shop.id)),
        there=Side(another, STORES[second.platform.name](second.url), Desk(api, another.id)),
        teller=teller,
        tally=tally,
        offers=story.sellable(NEEDED_OFFERS),
    )
    orders.tell()
    if not (story.settle() and orders.settle()):
        tally.settled = False


def _stay(teller: Teller, url: str, token: str, sandboxes: list[_Sandbox]) -> None:
    teller.chapter("It stays up for looking around")
    teller.say(f"API    {url}/graphql")
    teller.say(f"Token  {token}")
    for sandbox in sandboxes:
        teller.say(f"Store  {sandbox.url}/_books ({sandbox.platform.title})")
    teller.say(f"Try    tallyport listings list --url {url} --token {token}")
    teller.say("Ctrl-C ends everything.")
    while True:
        time.sleep(3600)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGINT end the demo with its children."""
    # SIGINT too: a shell that starts us in the background has it ignored.
    numbers = (signal.SIGTERM, signal.SIGINT)

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)  # a second one must not cut the cleaning up short
        raise KeyboardInterrupt

    earlier = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


@contextmanager
def _temporary_home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tallyport-demo-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def _await_services_end(data_dir: Path) -> None:
    """Wait until the servers have noticed that nobody uses them, so that nothing runs on."""
    settings = Settings(data_dir=data_dir, database_url=None, redis_url=None, secret_keys=None)
    deadline = time.monotonic() + _END_SECONDS
    while time.monotonic() < deadline and services_status(settings).holder_pid is not None:
        time.sleep(0.1)

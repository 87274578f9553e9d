"""The guard of user-supplied addresses: where requests may go, and that they go there."""

from collections.abc import Sequence

import httpx
import pytest

from adapters.safe_fetch import AddressRefusedError, GuardedTransport, is_public

pytestmark = pytest.mark.anyio

PUBLIC = "93.184.216.34"


class FakeNet:
    """Names with their addresses, and what was connected to; some addresses may be dead."""

    def __init__(self, names: dict[str, Sequence[str]], dead: frozenset[str] = frozenset()) -> None:
        self.names = names
        self.dead = dead
        self.asked: list[tuple[str, int]] = []
        self.reached: list[httpx.Request] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Look a name up."""
        self.asked.append((host, port))
        if host not in self.names:
            raise OSError("unknown name")
        return self.names[host]

    def inner(self) -> httpx.AsyncBaseTransport:
        """The network behind the guard."""
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.host in self.dead:
            raise httpx.ConnectError("refused", request=request)
        self.reached.append(request)
        if request.url.path == "/away":
            return httpx.Response(302, headers={"Location": "https://inside.example/secret"})
        return httpx.Response(200, json={})

    def client(self, *allowed: str) -> httpx.AsyncClient:
        """A client behind the guard."""
        guard = GuardedTransport(allowed, resolve=self.resolve, inner=self.inner)
        return httpx.AsyncClient(transport=guard)


async def test_connects_to_the_resolved_address() -> None:
    """The connection goes to the checked address, with the host's own name for TLS and HTTP."""
    net = FakeNet({"shop.example": [PUBLIC]})
    await net.client().post("https://shop.example/wp-json", json={"a": 1})
    (request,) = net.reached
    assert request.url.host == PUBLIC
    assert request.headers["Host"] == "shop.example"
    assert request.extensions["sni_hostname"] == "shop.example"
    assert request.content == b'{"a":1}'


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - an address to be refused
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "ff02::1",
        "not an address",
    ],
)
async def test_private_addresses_are_refused(address: str) -> None:
    """No name leads into a private network or to this machine, in whatever disguise."""
    assert not is_public(address)
    net = FakeNet({"inside.example": [address]})
    with pytest.raises(AddressRefusedError, match=r"inside\.example"):
        await net.client().get("https://inside.example/")
    assert net.reached == []


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_public_addresses_pass(address: str) -> None:
    """Addresses of the public internet are let through."""
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f.0.0.1", "127.1", "0", "localhost", "127.0.0.1.", "[::1]", "me@127.0.0.1"],
)
async def test_disguised_loopback_is_refused(host: str) -> None:
    """What the system's own resolver takes for this machine is refused, however it is written."""
    reached = FakeNet({})
    guard = GuardedTransport(inner=reached.inner)
    async with httpx.AsyncClient(transport=guard) as client:
        with pytest.raises(AddressRefusedError):
            await client.get(f"https://{host}/")
    assert reached.reached == []


async def test_name_too_long_for_dns_is_unknown() -> None:
    """A label of more than 63 letters is a name nobody knows, not a crash."""
    async with httpx.AsyncClient(transport=GuardedTransport(inner=FakeNet({}).inner)) as client:
        with pytest.raises(httpx.ConnectError, match="unknown"):
            await client.get(f"https://{'a' * 70}.example/")


async def test_one_private_address_among_several_is_enough() -> None:
    """A name that also resolves to a private address is refused whole."""
    net = FakeNet({"shop.example": [PUBLIC, "10.0.0.1"]})
    with pytest.raises(AddressRefusedError):
        await net.client().get("https://shop.example/")
    assert net.reached == []


async def test_redirects_pass_the_guard_again() -> None:
    """A public page that redirects inside does not get there."""
    net = FakeNet({"shop.example": [PUBLIC], "inside.example": ["192.168.0.9"]})
    with pytest.raises(AddressRefusedError, match=r"inside\.example"):
        await net.client().get("https://shop.example/away", follow_redirects=True)
    assert [request.url.path for request in net.reached] == ["/away"]


async def test_rebinding_does_not_help() -> None:
    """Each connection goes to the address that was checked; a later answer is checked again."""
    net = FakeNet({"shop.example": [PUBLIC]})
    client = net.client()
    await client.get("https://shop.example/")
    net.names["shop.example"] = ["127.0.0.1"]
    with pytest.raises(AddressRefusedError):
        await client.get("https://shop.example/")
    assert [request.url.host for request in net.reached] == [PUBLIC]


async def test_plain_http_needs_the_operator() -> None:
    """Plain http is refused unless the host is allowed."""
    net = FakeNet({"shop.example": [PUBLIC]})
    with pytest.raises(AddressRefusedError, match="https"):
        await net.client().get("http://shop.example/")
    await net.client("shop.example").get("http://shop.example/")
    assert len(net.reached) == 1


@pytest.mark.parametrize(
    ("allowed", "url", "passes"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080/", True),
        ("127.0.0.1:8080", "http://127.0.0.1:8080/", True),
        ("127.0.0.1:8080", "http://127.0.0.1:9090/", False),
        (" LOCALHOST ", "http://localhost:1/", True),
        ("shop.local", "https://shop.local/", True),
        ("shop.local", "https://sub.shop.local/", False),
        ("[::1]:8080", "http://[::1]:8080/", True),
    ],
)
async def test_allowed_hosts(allowed: str, url: str, *, passes: bool) -> None:
    """An entry allows exactly its host, and its port where it names one."""
    net = FakeNet({"sub.shop.local": ["10.0.0.1"]})
    client = net.client(allowed)
    if passes:
        await client.get(url)
        assert len(net.reached) == 1
    else:
        with pytest.raises(AddressRefusedError):
            await client.get(url)


async def test_next_address_is_tried() -> None:
    """Where the first address does not answer, the second one is used."""
    net = FakeNet({"shop.example": ["93.184.216.1", PUBLIC]}, frozenset({"93.184.216.1"}))
    await net.client().get("https://shop.example/")
    assert [request.url.host for request in net.reached] == [PUBLIC]


async def test_unknown_names_are_connection_errors() -> None:
    """A name nobody knows is a failed connection, not a refusal."""
    with pytest.raises(httpx.ConnectError) as raised:
        await FakeNet({}).client().get("https://nowhere.example/")
    assert not isinstance(raised.value, AddressRefusedError)


async def test_hosts_do_not_share_connections() -> None:
    """Two hosts behind one address get a pool each; the oldest of too many is closed."""
    net = FakeNet({f"h{n}.example": [PUBLIC] for n in range(140)})
    made: list[httpx.AsyncBaseTransport] = []

    def inner() -> httpx.AsyncBaseTransport:
        made.append(net.inner())
        return made[-1]

    guard = GuardedTransport(resolve=net.resolve, inner=inner)
    async with httpx.AsyncClient(transport=guard) as client:
        for n in range(140):
            await client.get(f"https://h{n}.example/")
            await client.get(f"https://h{n}.example/")
        assert len(made) == 140
        assert len(guard._pools) == 128
    assert len(guard._pools) == 0

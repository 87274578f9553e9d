"""The guard of addresses that users supply: store domains now, images later.

An httpx transport, so that every request and every redirect passes it. A name is resolved here and
the connection goes to the resolved address, so the name cannot mean another machine a moment later.
Must not know a platform.
"""

import asyncio
import ipaddress
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeAlias

import httpx

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) → IP addresses."""

_MAX_HOSTS = 128
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressRefusedError(httpx.ConnectError):
    """The address is not one that requests may go to; the text says what to change."""


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """IP addresses of a host by the system's resolver."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, also behind an IPv6 disguise."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner and not is_public(str(inner)):
            return False
        if ip.ipv4_mapped:
            return True
        if ip.is_site_local:  # fec0::/10, private networks of old that Python calls global
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def allowed_entries(hosts: Iterable[str]) -> frozenset[str]:
    """Normalize an operator's entries, each `host` or `host:port`."""
    return frozenset(entry.strip().lower().rstrip(".") for entry in hosts if entry.strip())


class GuardedTransport(httpx.AsyncBaseTransport):
    """Lets requests out to public addresses over https, and to what the operator allows."""

    def __init__(
        self,
        allowed_hosts: Iterable[str] = (),
        *,
        resolve: Resolve = resolve_host,
        inner: Callable[[], httpx.AsyncBaseTransport] = httpx.AsyncHTTPTransport,
    ) -> None:
        self._allowed = allowed_entries(allowed_hosts)
        self._resolve = resolve
        self._inner = inner
        # One pool per host: pools reuse connections by address, and two hosts behind one address
        # (a CDN) must not share a connection whose certificate was checked for the other.
        self._pools: OrderedDict[str, httpx.AsyncBaseTransport] = OrderedDict()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to the address the guard has checked."""
        host = request.url.host.lower().rstrip(".")
        port = request.url.port or {"http": 80, "https": 443}.get(request.url.scheme, 0)
        pool = await self._pool(host)
        if self._allowed & {host, f"{host}:{port}", f"[{host}]", f"[{host}]:{port}"}:
            return await pool.handle_async_request(request)
        if request.url.scheme != "https":
            message = (
                f"{host} is addressed by plain {request.url.scheme}, where everyone on the way can "
                "read along; use https, or have the operator allow this host"
            )
            raise AddressRefusedError(message, request=request)
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:  # a label too long for DNS is the latter
            raise httpx.ConnectError(f"the name {host} is unknown", request=request) from error
        if not addresses:
            raise httpx.ConnectError(f"the name {host} is unknown", request=request)
        if not all(is_public(address) for address in addresses):
            message = (
                f"{host} is an address of a private network or of this machine; "
                "the operator must allow this host"
            )
            raise AddressRefusedError(message, request=request)
        return await self._reach(pool, request, host, addresses)

    async def _reach(
        self,
        pool: httpx.AsyncBaseTransport,
        request: httpx.Request,
        host: str,
        addresses: Sequence[str],
    ) -> httpx.Response:
        """Try the addresses in turn; the certificate is still that of the host."""
        for index, address in enumerate(addresses):
            pinned = httpx.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
            try:
                return await pool.handle_async_request(pinned)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if index == len(addresses) - 1:
                    raise
        raise httpx.ConnectError(f"{host} has no address", request=request)

    async def _pool(self, host: str) -> httpx.AsyncBaseTransport:
        pool = self._pools.get(host)
        if pool is None:
            pool = self._pools[host] = self._inner()
            if len(self._pools) > _MAX_HOSTS:
                _, oldest = self._pools.popitem(last=False)
                await oldest.aclose()
        self._pools.move_to_end(host)
        return pool

    async def aclose(self) -> None:
        """Close every connection."""
        while self._pools:
            await self._pools.popitem()[1].aclose()

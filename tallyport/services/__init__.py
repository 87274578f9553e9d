"""PostgreSQL and Valkey where nothing was installed, or the ones the settings name.

The rest of the project uses the names below and nothing inside. Both servers listen on sockets in
the data directory, run without privileges, and stop when their last user is gone, however it went.
"""

from tallyport.services.errors import ServicesError
from tallyport.services.opening import Services, open_services
from tallyport.services.state import Health, Server
from tallyport.services.status import ServicesStatus, ServiceStatus, services_status

__all__ = [
    "Health",
    "Server",
    "ServiceStatus",
    "Services",
    "ServicesError",
    "ServicesStatus",
    "open_services",
    "services_status",
]

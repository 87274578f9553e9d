"""The two ways the store writes a time, and the three ways it reads one."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d|[+-]\d\d)?$")


def is_stamp(text: str) -> bool:
    """Say whether a filter accepts this as a date: with a time, with or without a zone."""
    if not _STAMP.match(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


class SiteTime:
    """Writes and reads times for a site in one time zone."""

    def __init__(self, zone: str) -> None:
        self.zone = ZoneInfo(zone)
        self.name = zone

    def local(self, moment: datetime | None) -> str | None:
        """Write a time in the site's zone, without saying so."""
        if moment is None:
            return None
        return moment.astimezone(self.zone).replace(tzinfo=None, microsecond=0).isoformat()

    def gmt(self, moment: datetime | None) -> str | None:
        """Write a time in UTC, without saying so."""
        if moment is None:
            return None
        return moment.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat()

    def read(self, text: str, *, gmt: bool) -> datetime | None:
        """Read a time; one without a zone is UTC or the site's as `gmt` says; junk is nothing."""
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC if gmt else self.zone)
        return moment.astimezone(UTC)

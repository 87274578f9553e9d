"""The simulated time; must not sleep or schedule anything."""

from datetime import UTC, datetime, timedelta

from adapters.sandbox.wire import ControlError, Json


class Clock:
    """Tells the simulated time, in UTC: the real one, shifted, or frozen."""

    def __init__(self) -> None:
        self._offset = timedelta(0)
        self._frozen: datetime | None = None

    def now(self) -> datetime:
        """Return the simulated time."""
        return self._frozen if self._frozen is not None else datetime.now(UTC) + self._offset

    def freeze(self, at: datetime) -> None:
        """Stand still at an aware moment until moved or released."""
        self._frozen = at.astimezone(UTC)

    def shift(self, by: timedelta) -> None:
        """Move forward or back, whether frozen or running."""
        if self._frozen is not None:
            self._frozen += by
        else:
            self._offset += by

    def release(self) -> None:
        """Run with the real time again."""
        self._frozen, self._offset = None, timedelta(0)

    def control(self, order: dict[str, Json]) -> Json:
        """Obey a `/_clock` request: `frozen_at`, `shift_seconds` or `release`."""
        match order:
            case {"frozen_at": str(at)}:
                self.freeze(datetime.fromisoformat(at))
            case {"shift_seconds": int() | float() as seconds}:
                self.shift(timedelta(seconds=seconds))
            case {"release": True}:
                self.release()
            case _:
                raise ControlError("expected frozen_at, shift_seconds or release")
        return {"now": self.now().isoformat()}

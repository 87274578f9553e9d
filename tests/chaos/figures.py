"""The figures of many scenarios, and how they are printed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos.scenarios import FaultKind
from tests.chaos.story import Outcome
from tests.chaos.verdict import Sort

_ALWAYS = (Sort.LOST, Sort.DOUBLED, Sort.BROKEN, Sort.STUCK, Sort.WRONG, Sort.MISCOUNTED)


@dataclass(slots=True)
class Figures:
    """Sums over outcomes."""

    lease_seconds: float
    scenarios: int = 0
    struck: Counter[FaultKind] = field(default_factory=Counter)
    violations: Counter[Sort] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    """In lease periods."""
    failed: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one more scenario."""
        self.scenarios += 1
        self.struck += outcome.struck
        self.violations += Counter(each.sort for each in outcome.violations)
        self.recoveries += [each / self.lease_seconds for each in outcome.recoveries]
        if outcome.violations:
            self.failed.append(str(outcome.scenario.seed))

    @property
    def is_clean(self) -> bool:
        """Whether nothing at all went wrong."""
        return not self.violations

    def lines(self) -> list[str]:
        """What is printed at the end."""
        said = [f"{self.scenarios} scenarios", f"{self.struck.total()} faults injected"]
        width = max((len(kind) for kind in self.struck), default=0)
        said += [
            f"  {kind:<{width}} {self.struck[kind]:>5}" for kind in FaultKind if kind in self.struck
        ]
        said += [f"{self.violations[sort]} {sort}" for sort in _ALWAYS]
        if self.recoveries:
            said.append(
                f"recovery after a killed worker: p50 {percentile(self.recoveries, 50):.2f}, "
                f"p95 {percentile(self.recoveries, 95):.2f} lease periods "
                f"({len(self.recoveries)} kills of a worker that held a lease)"
            )
        if self.failed:
            said.append(f"failed seeds: {', '.join(self.failed)}")
        return said


def percentile(values: Sequence[float], share: int) -> float:
    """The smallest value that so many of a hundred do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * share // 100) - 1))]

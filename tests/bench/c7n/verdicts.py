"""What is said of cells."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from simulator import Calls


class Cell(NamedTuple):
    account: str
    region: str
    control: str

    def __str__(self) -> str:
        return f"{self.control} of {self.account} in {self.region}"


class Verdict(Enum):
    RIGHT = "in sync"
    DRIFT = "differs"
    # It could not be looked at, or the look failed.
    UNKNOWN = "failed"


Verdicts = dict[Cell, Verdict]


@dataclass(frozen=True)
class Look:
    """One look at everything: what was found, and what it took."""

    verdicts: Verdicts
    calls: Calls
    cpu_seconds: float
    wall_seconds: float
    # The part of the CPU time before anybody asked for anything.
    start_cpu_seconds: float = 0.0


def of_plan(plan: dict[str, Any], cells: set[Cell]) -> Verdicts:
    """What a plan of Landfall says of these cells. What is in sync is only counted in it, so the counts have to fit."""
    found = dict.fromkeys(cells, Verdict.RIGHT)
    for target in plan["targets"]:
        if target["stage"] != "planned":
            raise SystemExit(f"Landfall could not look at {target}")
    for planned in plan["changes"]:
        cell = Cell(planned["account_id"], planned["region"], planned["control"])
        if cell not in found:
            raise SystemExit(f"Landfall speaks of {cell}, which nobody asked about")
        found[cell] = Verdict.UNKNOWN if planned.get("error") else Verdict.DRIFT
    in_sync = sum(1 for verdict in found.values() if verdict is Verdict.RIGHT)
    if in_sync != plan["counts"]["cells_in_sync"]:
        raise SystemExit(f"{in_sync} cells of the plan should be in sync; it says {plan['counts']}")
    return found

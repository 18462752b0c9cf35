"""Drift at random."""

import random
from dataclasses import dataclass
from typing import Any

from pairs import HOME, PAIRS, Drift
from simulator import Simulator
from verdicts import Cell

# The trail is the organization's: whoever takes its other Regions away takes them from every account at once.
TRAIL = Drift({"service": "cloudtrail", "action": "edit_trail", "multi_region": False})
TRAIL_CONTROL = "cloudtrail.trail"


@dataclass(frozen=True)
class Planted:
    """Where there is drift, and which."""

    drifts: dict[Cell, Drift]


def cells(accounts: list[dict[str, Any]], regions: list[str]) -> set[Cell]:
    """Every cell that both are asked about."""
    numbers = [account["account_id"] for account in accounts]
    return {
        Cell(number, region, pair.control)
        for number in numbers
        for pair in PAIRS
        for region in (regions if pair.regional else [HOME])
    }


def choose(board: set[Cell], seed: int, share: float) -> Planted:
    """Disturbs this share of the cells; of every control each way of drift at least once, as far as it has cells."""
    chance = random.Random(seed)
    drifts = {cell: TRAIL for cell in board if cell.control == TRAIL_CONTROL and cell.region != HOME}
    for pair in PAIRS:
        if not pair.drifts:
            continue
        candidates = sorted(cell for cell in board if cell.control == pair.control)
        chance.shuffle(candidates)
        for number, cell in enumerate(candidates):
            if number < len(pair.drifts):
                drifts[cell] = pair.drifts[number]
            elif chance.random() < share:
                drifts[cell] = chance.choice(pair.drifts)
    return Planted(drifts)


def plant(simulator: Simulator, planted: Planted) -> None:
    simulator.tamper(TRAIL.tampering)
    for cell, drift in sorted(planted.drifts.items()):
        if drift is not TRAIL:
            simulator.tamper(drift.tampering | {"account": cell.account, "region": cell.region})

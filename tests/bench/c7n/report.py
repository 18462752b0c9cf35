"""What came out, as a table, and whether it is as it should be."""

from collections import Counter
from dataclasses import dataclass

from pairs import PAIRS
from planting import Planted
from verdicts import Cell, Look, Verdict

LEAST_RATIO = 100
MANY_ACCOUNTS = 500
GOAL_READS = 62_000


@dataclass(frozen=True)
class Result:
    accounts: int
    regions: int
    planted: Planted
    # Landfall's look before anything was planted.
    clean: Look
    landfall: Look
    custodian: Look


@dataclass(frozen=True)
class Disagreement:
    cell: Cell
    landfall: Verdict
    custodian: Verdict
    drift: str
    # Why that is so by design.
    reason: str | None

    def __str__(self) -> str:
        why = f"by design: {self.reason}" if self.reason else "UNEXPLAINED"
        said = f"Landfall: {self.landfall.value}, c7n-org: {self.custodian.value}"
        return f"  {self.cell} ({self.drift}): {said}. {why}"


def show(result: Result) -> int:
    """Prints all of it; the answer is the exit status."""
    disagreements = _disagreements(result)
    _show_verdicts(result, disagreements)
    print(f"\nDisagreements: {len(disagreements) or 'none'}")
    for disagreement in disagreements:
        print(disagreement)
    mistaken = _mistaken(result)
    print(f"\nVerdicts that are not what was planted asks for: {len(mistaken) or 'none'}")
    for line in mistaken:
        print(line)
    _show_reads(result)
    ratio = _show_cost(result)
    failures = []
    if unexplained := sum(1 for disagreement in disagreements if not disagreement.reason):
        failures.append(f"{unexplained} disagreements without a reason")
    if mistaken:
        failures.append(f"{len(mistaken)} wrong verdicts")
    if ratio < LEAST_RATIO:
        failures.append(f"{ratio:.0f} times less CPU, not {LEAST_RATIO}")
    print(f"\n{'FAILED: ' + '; '.join(failures) if failures else 'As it should be.'}")
    return 1 if failures else 0


def _disagreements(result: Result) -> list[Disagreement]:
    found = []
    for cell, landfall in sorted(result.landfall.verdicts.items()):
        custodian = result.custodian.verdicts[cell]
        if landfall is custodian:
            continue
        drift = result.planted.drifts.get(cell)
        # A reason is one only for the verdicts that it explains.
        explains = drift and landfall is Verdict.DRIFT and custodian is drift.custodian_says
        reason = drift.reason if drift and explains else None
        found.append(Disagreement(cell, landfall, custodian, str(drift or "not disturbed"), reason))
    return found


def _mistaken(result: Result) -> list[str]:
    lines = []
    for cell in sorted(result.landfall.verdicts):
        drift = result.planted.drifts.get(cell)
        right_landfall = Verdict.DRIFT if drift else Verdict.RIGHT
        right_custodian = drift.custodian_says if drift else Verdict.RIGHT
        for who, says, should in (
            ("Landfall", result.landfall.verdicts[cell], right_landfall),
            ("c7n-org", result.custodian.verdicts[cell], right_custodian),
        ):
            if says is not should:
                lines.append(f"  {cell} ({drift or 'not disturbed'}): {who} says {says.value}, not {should.value}")
    return lines


def _show_verdicts(result: Result, disagreements: list[Disagreement]) -> None:
    print(f"{result.accounts} accounts × {result.regions} Regions\n")
    row = "{:<32}{:<27}{:>6}{:>9}{:>10}{:>9}{:>8}{:>11}{:>13}"
    print(row.format("control", "policy", "cells", "planted", "Landfall", "c7n-org", "agree", "by design", "unexplained"))
    by_design = Counter(one.cell.control for one in disagreements if one.reason)
    unexplained = Counter(one.cell.control for one in disagreements if not one.reason)
    for pair in PAIRS:
        cells = [cell for cell in result.landfall.verdicts if cell.control == pair.control]
        planted = sum(1 for cell in cells if cell in result.planted.drifts)
        drift = [_drifting(look, cells) for look in (result.landfall, result.custodian)]
        agree = len(cells) - by_design[pair.control] - unexplained[pair.control]
        print(
            row.format(
                pair.control, ", ".join(pair.policies), len(cells), planted, *drift, agree,
                by_design[pair.control], unexplained[pair.control],
            )
        )


def _drifting(look: Look, cells: list[Cell]) -> int:
    return sum(1 for cell in cells if look.verdicts[cell] is Verdict.DRIFT)


def _show_reads(result: Result) -> None:
    """Calls of Landfall where nothing differs, which is what a scan is nearly everywhere."""
    print(f"\nCalls of Landfall with everything in sync, and for {MANY_ACCOUNTS} accounts × {result.regions} Regions")
    left = Counter(result.clean.calls.by_operation)

    def at_many(calls: int) -> int:
        return round(calls / result.accounts * MANY_ACCOUNTS)

    in_goal = total = 0
    for pair in PAIRS:
        calls = sum(left.pop(operation, 0) for operation in pair.reads)
        _show_calls(pair.control, calls, at_many(calls))
        total += at_many(calls)
        in_goal += at_many(calls) if pair.in_goal else 0
    sessions = left.pop("sts:AssumeRole", 0)
    _show_calls("sessions (sts:AssumeRole)", sessions, at_many(sessions))
    # What is asked of the organization is asked once, however many accounts it has.
    _show_calls("of the organization, once", left.total(), left.total())
    _show_calls("all", result.clean.calls.total, total + at_many(sessions) + left.total())
    rest = " and ".join(pair.control for pair in PAIRS if not pair.in_goal)
    print(f"  Without {rest}: {in_goal:,}, to be at most {GOAL_READS:,}")


def _show_calls(what: str, calls: int, many: int) -> None:
    print(f"  {what:<34}{calls:>8,}{many:>12,}")


def _show_cost(result: Result) -> float:
    landfall, custodian = result.landfall, result.custodian
    places = result.accounts * result.regions
    ratio = custodian.cpu_seconds / landfall.cpu_seconds
    print("\n{:<34}{:>12}{:>12}{:>10}".format("cost of the look at the drift", "Landfall", "c7n-org", "ratio"))
    for what, ours, theirs in (
        ("CPU seconds", landfall.cpu_seconds, custodian.cpu_seconds),
        ("  without the server's start", landfall.cpu_seconds - landfall.start_cpu_seconds, custodian.cpu_seconds),
        ("wall seconds", landfall.wall_seconds, custodian.wall_seconds),
        ("calls", landfall.calls.total, custodian.calls.total),
    ):
        print(f"{what:<34}{ours:>12,.2f}{theirs:>12,.2f}{theirs / ours:>10,.1f}")
    for what, ours, theirs in (
        ("CPU ms for account × Region", landfall.cpu_seconds * 1e3 / places, custodian.cpu_seconds * 1e3 / places),
        ("calls for account × Region", landfall.calls.total / places, custodian.calls.total / places),
        (f"calls at {MANY_ACCOUNTS} accounts",
         landfall.calls.total / result.accounts * MANY_ACCOUNTS, custodian.calls.total / result.accounts * MANY_ACCOUNTS),
    ):
        print(f"{what:<34}{ours:>12,.2f}{theirs:>12,.2f}")
    for operation, count in custodian.calls.by_operation.most_common():
        print(f"    c7n-org called {operation} {count} times")
    for operation, count in custodian.calls.unbuilt.items():
        print(f"    and {operation}, which awsim does not have, {count} times")
    return ratio

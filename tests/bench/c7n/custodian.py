"""c7n-org as PyPI has it, in every account and Region, and what it said."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pairs import HOME, PAIRS
from processes import Spent
from simulator import Simulator
from verdicts import Cell, Verdict, Verdicts

HERE = Path(__file__).parent
POLICIES = HERE / "policies.yml"
ROLE = "OrganizationAccountAccessRole"

# Longer passwords are asked for in the organization's own accounts: `baselines/admin.toml`.
MINIMUM_LENGTH_IN_ADMIN = 20
MINIMUM_LENGTH = 14

SHOWN_FAILURES = 10


def install(venv: Path) -> Path:
    """The program, in an environment of its own that is kept for the next time."""
    requirements = HERE / "requirements.txt"
    kept = venv / "requirements.txt"
    if not kept.is_file() or kept.read_bytes() != requirements.read_bytes():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        subprocess.run([venv / "bin" / "pip", "install", "--quiet", "--requirement", requirements], check=True)
        kept.write_bytes(requirements.read_bytes())
    return venv / "bin" / "c7n-org"


def open_accounts(simulator: Simulator, accounts: list[dict[str, Any]]) -> None:
    """Makes the role that it works with, as an enrolled account has it. (The baselines let it stay.)"""
    for account in accounts:
        number = account["account_id"]
        simulator.tamper({"service": "iam", "action": "create_organization_role", "account": number, "role": ROLE})


def run(
    program: Path, simulator: Simulator, accounts: list[dict[str, Any]], regions: list[str], state: Path
) -> tuple[Path, Spent]:
    """Runs all policies everywhere. The answer is its output directory, and what it cost."""
    config = state / "accounts.json"
    # JSON is YAML.
    config.write_text(json.dumps({"accounts": [_account(account) for account in accounts]}, indent=1))
    output, cache = state / "output", state / "cache"
    cache.mkdir()
    command = [str(program), "run", "--config", str(config), "--use", str(POLICIES), "--output-dir", str(output)]
    command += ["--cache-path", str(cache), *(f"--region={region}" for region in regions)]
    environment = simulator.environment() | {
        "PATH": os.environ["PATH"],
        "HOME": str(state),
        "PYTHONPATH": str(HERE / "loopback"),
    }
    log = state / "c7n-org.log"
    with log.open("wb") as lines, Spent() as spent:
        # Its exit status tells that a policy failed somewhere; which one, the missing answers do.
        subprocess.run(command, env=environment, cwd=state, stdin=subprocess.DEVNULL, stdout=lines, stderr=lines, check=False)
    failures = [line for line in log.read_text().splitlines() if "ERROR" in line or "WARNING" in line]
    for line in failures[:SHOWN_FAILURES]:
        print(line, file=sys.stderr)
    return output, spent


def _account(account: dict[str, Any]) -> dict[str, Any]:
    in_admin = account["organizational_unit"] == "Admin"
    return {
        "account_id": account["account_id"],
        "name": account["account_id"],
        "role": ROLE,
        "vars": {"minimum_length": MINIMUM_LENGTH_IN_ADMIN if in_admin else MINIMUM_LENGTH},
    }


def verdicts(output: Path, accounts: list[dict[str, Any]], regions: list[str]) -> Verdicts:
    """A policy that matched found drift; one that ran and matched nothing found none; one that failed wrote no answer."""
    found: Verdicts = {}
    for account in accounts:
        number = account["account_id"]
        for pair in PAIRS:
            for region in regions if pair.regional else [HOME]:
                answers = [output / number / region / policy / "resources.json" for policy in pair.policies]
                found[Cell(number, region, pair.control)] = _verdict([answer for answer in answers if answer.is_file()])
    return found


def _verdict(answers: list[Path]) -> Verdict:
    if not answers:
        return Verdict.UNKNOWN
    return Verdict.DRIFT if any(json.loads(answer.read_bytes()) for answer in answers) else Verdict.RIGHT

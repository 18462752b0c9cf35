"""The real `landfall serve` and its client."""

import json
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from processes import Program, Spent, request
from simulator import HASTE, Simulator

TOKEN = "the-token-that-only-benches-know-0123456789"
SECONDS_TO_GOVERN_ONE = 120
# What Landfall says of a plan that would change nothing, and of one that would change something.
PLANNED = (0, 2)


class Landfall:
    """A server on a fresh SQLite database, or anew on the one that it had."""

    def __init__(self, program: Path, landing_zone: Path, simulator: Simulator, state: Path) -> None:
        self.client = str(program)
        environment = simulator.environment() | {
            "LANDFALL_LISTEN": "127.0.0.1:0",
            "LANDFALL_DATABASE_URL": f"sqlite://{state / 'landfall.db'}",
            "LANDFALL_BOOTSTRAP_TOKEN": TOKEN,
            "LANDFALL_LANDING_ZONE": str(landing_zone),
            "LANDFALL_AWS_TIME_SCALE": str(HASTE),
        }
        log = state / "landfall.log"
        self.program = Program([self.client, "serve"], environment, log, "landfall serves on http://")
        self.url = self.program.url

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        return request(method, f"{self.url}/api/v1/{path}", body, TOKEN)

    def ask_for(self, accounts: int) -> None:
        for number in range(accounts):
            # Two baselines take turns, so that not every account is alike.
            environment = ("production", "development")[number % 2]
            form = {
                "name": f"Application {number}",
                "owner_email": "bench@example.com",
                "organizational_unit": f"Applications/{environment.capitalize()}",
                "cost_center": "4711",
                "environment": environment,
                "justification": "measured",
            }
            self._call("POST", "account-requests", form)

    def accounts(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        query = ""
        while True:
            page = self._call("GET", f"accounts?limit=500{query}")
            items += page["items"]
            if not page.get("next_cursor"):
                return items
            query = f"&cursor={page['next_cursor']}"

    def governed(self, expected: int) -> list[dict[str, Any]]:
        """All accounts, once so many are there and carry their baselines."""
        deadline = time.monotonic() + SECONDS_TO_GOVERN_ONE * expected
        while True:
            accounts = self.accounts()
            if len(accounts) >= expected and all(account["phase"] == "governed" for account in accounts):
                return accounts
            if time.monotonic() > deadline:
                raise SystemExit(f"not all accounts get governed: {[account['phase'] for account in accounts]}")
            time.sleep(0.5)

    def plan(self, controls: Iterable[str]) -> tuple[dict[str, Any], Spent]:
        """What `landfall plan --json` says, and what the client cost."""
        command = [self.client, "plan", "--json", *(f"--control={control}" for control in controls)]
        with Spent() as spent:
            done = subprocess.run(
                command, env={"LANDFALL_URL": self.url, "LANDFALL_TOKEN": TOKEN}, capture_output=True, text=True, check=False
            )
        if done.returncode not in PLANNED:
            raise SystemExit(f"landfall plan failed: {done.stderr or done.stdout[-3000:]}")
        return json.loads(done.stdout), spent

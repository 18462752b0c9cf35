"""awsim, and what it counts."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processes import Program, request

MANAGEMENT_ACCESS_KEY = "AWSIMMANAGEMENT0000"

# How many times as fast as AWS the stage is set.
HASTE = 600

READS = ("Get", "List", "Describe", "Head", "Assume", "Lookup", "Receive")


@dataclass(frozen=True)
class Calls:
    """Calls that AWS got, by `service:Operation`."""

    by_operation: Counter[str]
    # Operations that were asked for and that awsim has not built.
    unbuilt: dict[str, int]

    @property
    def total(self) -> int:
        return self.by_operation.total()

    def mutating(self) -> dict[str, int]:
        """Those that may have changed something; assuming a role does not count."""
        return {kind: count for kind, count in self.by_operation.items() if not kind.partition(":")[2].startswith(READS)}


class Simulator:
    """An organization with nothing in it, on loopback, without latencies and rates."""

    def __init__(self, program: Path, state: Path, seed: int) -> None:
        command = [str(program), "--listen", "127.0.0.1:0", "--seed", str(seed)]
        command += ["--create-seconds", "10", "--time-scale", str(HASTE)]
        self.program = Program(command, {}, state / "awsim.log", "awsim ready at http://")
        self.url = self.program.url

    def control(self, method: str, path: str, body: Any = None) -> Any:
        return request(method, f"{self.url}/_awsim/{path}", body)

    def tamper(self, what: dict[str, Any]) -> None:
        self.control("POST", "tamper", what)

    def calls(self) -> Calls:
        """Everything since the last `forget`."""
        report = self.control("GET", "calls")
        if report["mistakes"]:
            raise SystemExit(f"awsim answers what does not fit AWS's models: {report['mistakes']}")
        by_operation: Counter[str] = Counter()
        for row in report["calls"]:
            by_operation[f"{row['service']}:{row['operation']}"] += row["count"]
        return Calls(by_operation, report["unbuilt"])

    def forget(self) -> None:
        """Counts anew."""
        self.control("DELETE", "calls")

    def environment(self) -> dict[str, str]:
        """What a client of AWS has to know, and nothing of this machine's own settings."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": MANAGEMENT_ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

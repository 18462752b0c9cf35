"""Programs that run beside the bench, what they cost, and JSON over HTTP."""

import json
import os
import resource
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

TICKS_IN_A_SECOND = os.sysconf("SC_CLK_TCK")


class Program:
    """A program that says on which address it listens, and ends with this one."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path, says: str) -> None:
        self.log = log
        self.name = Path(command[0]).name
        with log.open("ab") as output:
            begins_at = output.tell()
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.url = self._url(says, begins_at)

    def _url(self, says: str, begins_at: int, seconds: float = 60) -> str:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            text = self.log.read_bytes()[begins_at:].decode(errors="replace")
            after = text.partition(says)[2]
            # A line that is only half written has no end yet.
            if after.strip() and after[-1].isspace():
                return "http://" + after.split()[0]
            time.sleep(0.05)
        self.process.kill()
        raise SystemExit(f"{self.name} is never ready; its log says:\n{self.log.read_text()[-3000:]}")

    def cpu_seconds(self) -> float:
        """User and system time of it and of all its threads, so far."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        # The name stands in parentheses and may hold anything; user and system time are fields 14 and 15.
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_IN_A_SECOND

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Spent:
    """What children that have ended meanwhile cost: `with Spent() as spent: …`."""

    cpu_seconds = 0.0
    wall_seconds = 0.0

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._before = _children()
        return self

    def __exit__(self, *_: object) -> None:
        self.cpu_seconds = _children() - self._before
        self.wall_seconds = time.monotonic() - self._began


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def request(method: str, url: str, body: Any = None, token: str | None = None) -> Any:
    """One call with JSON in and out. An answer that is an error ends the bench, and says what it was."""
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, method=method, data=data, headers=headers)
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{method} {url} {body}: {error.code} {error.read().decode(errors='replace')}") from error

"""Processes that serve on a port of this machine alone, to be killed at any moment and started again."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

HOST = "127.0.0.1"
PATIENCE = 120.0  # seconds that a server may take to listen


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


class Server:
    """Several commands that belong together, each listening on a port."""

    def __init__(self, commands: Mapping[int, Sequence[str | Path]], *, log: Path) -> None:
        self._commands, self._log = commands, log
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        with open(self._log, "ab") as log:
            for command in self._commands.values():
                self._processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        for port in self._commands:
            self._wait_for(port)

    def kill(self) -> None:
        """At once, with all that they have started, as when the power fails."""
        family = [psutil.Process(process.pid) for process in self._processes if process.poll() is None]
        family += [child for parent in family for child in parent.children(recursive=True)]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for process in self._processes:
            process.wait()
        psutil.wait_procs(family, timeout=PATIENCE)
        self._processes.clear()

    def _wait_for(self, port: int) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and all(process.poll() is None for process in self._processes):
            with socket.socket() as client:
                if client.connect_ex((HOST, port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"nothing listens on port {port}:\n{self._log.read_text()[-4000:]}")

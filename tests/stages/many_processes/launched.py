"""The program as DVC starts it, in one process or in several, in a tiny project of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.stages.many_processes import tiny

ROOT = Path(__file__).parents[3]
DVC_YAML = """
stages:
  all:
    cmd: python -m tests.stages.many_processes.program
    params: [stages]
    deps: [data/packed]
    outs: [models/tasks]
"""
STAGES = ["pretrain", "distill", "finetune_teacher", "finetune_student"]


def project(folder: Path, *, stages: list[str]) -> Path:
    tiny.make(folder)
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text("[core]\nno_scm = true\nanalytics = false\ncheck_update = false\n")
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "params.yaml").write_text(yaml.safe_dump({"stages": stages}))
    return folder


@dataclass
class Machine:
    """What `accelerate config` writes, for processes on the CPU."""

    processes: int
    machines: int = 1
    rank: int = 0
    port: int | None = None
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, folder: Path, *, program: str = "program") -> subprocess.Popen[str]:
        """The program in `folder`; its messages are its output."""
        config = {"compute_environment": "LOCAL_MACHINE", "distributed_type": "MULTI_CPU", "mixed_precision": "no",
                  "use_cpu": True, "debug": False, "num_processes": self.processes, "num_machines": self.machines,
                  "machine_rank": self.rank, "main_process_ip": "127.0.0.1", "main_process_port": self.port,
                  "same_network": True, "rdzv_backend": "static"}  # fmt: skip
        home = folder / "home"
        (home / "accelerate").mkdir(parents=True, exist_ok=True)
        (home / "accelerate/default_config.yaml").write_text(yaml.safe_dump(config))
        own = {"DVC_STAGE": "all", "HF_HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1",
               "ACCELERATE_USE_CPU": "true"}  # fmt: skip
        command = [sys.executable, "-m", f"tests.stages.many_processes.{program}"]
        return subprocess.Popen(command, cwd=folder, env=os.environ | own | self.environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip

    def run(self, folder: Path) -> str:
        """What it says; it has to end well."""
        return ended_well(self.start(folder))


def ended_well(process: subprocess.Popen[str]) -> str:
    output = process.communicate(timeout=600)[0]
    assert process.returncode == 0, output
    return output

"""Launches by srun and preparation by jobs, on two nodes on loopback: Debian's slurmctld, slurmd and slurm-client."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stages.many_processes.test_launch import STAGES
from tests.stages.many_processes.test_many_processes import DROP, Finished, Machine, output, project
from tests.stages.planted import prepared, write_source
from tests.stages.planted import project as corpus_project
from tests.waiting import processes_in, wait_for

DAEMONS = ("slurmctld", "slurmd", "srun")
pytestmark = [
    pytest.mark.skipif(not all(map(shutil.which, DAEMONS)), reason="Slurm is not installed: apt-get install "
                       "slurmctld slurmd slurm-client"),
    pytest.mark.skipif(os.geteuid() != 0, reason="a cluster of one machine takes root"),
]  # fmt: skip
CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
CommunicationParameters=NoInAddrAny
AuthType=auth/none
CredType=cred/none
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmdPidFile={folder}/%n.pid
SlurmctldPidFile={folder}/slurmctld.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/linear
MpiDefault=none
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=9000
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=9000
PartitionName=all Nodes=n1,n2 Default=YES State=UP
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which srun finds the cluster."""
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool-n1", "spool-n2"):
        (folder / name).mkdir()
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(host=socket.gethostname(), folder=folder, ports=free_ports(3)))
    environment = {"SLURM_CONF": str(conf)}
    with open(folder / "log", "w") as log:
        commands = (["slurmctld", "-D"], ["slurmd", "-D", "-N", "n1"], ["slurmd", "-D", "-N", "n2"])
        daemons = [
            subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log) for command in commands
        ]
        idle = ["sinfo", "--noheader", "--states=idle", "--format=%D"]
        wait_for(lambda: said(idle, environment) == "2", seconds=60)
        yield environment
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(30)


def said(command: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True).stdout.strip()


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [free.getsockname()[1] for free in sockets]
    for free in sockets:
        free.close()
    return ports


def machine(environment: dict[str, str], **more: str) -> Machine:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes=$SLURM_NODES", "--nproc-per-node=1"]
    rendezvous = ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{free_ports(1)[0]}"]
    srun = ["srun", "--nodes=2", "--ntasks-per-node=1"]
    return Machine(1, launch=[*srun, *torchrun, *rendezvous], environment=environment | more | {"SLURM_NODES": "2"})


def test_srun_trains_on_two_nodes_and_after_kill_9_nothing_lives_and_the_bytes_are_the_same(
    slurm: dict[str, str], tmp_path: Path
) -> None:
    alone, folder = (project(tmp_path / name / "project", stages=STAGES) for name in ("alone", "slurm"))
    expected = Finished(alone, output(Machine(2).start(alone)))
    stage = machine(slurm, LABEL="pretrain", STOP=str(DROP)).start(folder)
    wait_for(lambda: (folder / "stopped").exists(), seconds=300)
    assert len(processes_in(folder)) >= 6  # the stage, srun, and on each node torchrun and a process
    stage.kill()
    killed = time.monotonic()
    wait_for(lambda: not processes_in(folder), seconds=120)
    stage.communicate()
    print(f"all ended {time.monotonic() - killed:.0f} s after the kill")
    text = output(machine(slurm).start(folder))
    assert f"pretrain: resumes after step {DROP - 1}/" in text
    assert Finished(folder).outputs() == expected.outputs()


def test_a_corpus_prepared_by_jobs_has_the_bytes_of_one_process(
    slurm: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_source(tmp_path)
    expected = prepared(corpus_project(source, tmp_path / "one"))
    for name, value in slurm.items():
        monkeypatch.setenv(name, value)
    options = {"partition": "all", "time": "00:10:00", "mem_per_cpu_gb": 1, "qos": ""}
    folder = corpus_project(source, tmp_path / "jobs", workers=2, slurm=options)
    assert prepared(folder) == expected
    assert said(["squeue", "--noheader"], slurm) == ""

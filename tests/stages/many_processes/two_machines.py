"""Stands for srun: starts a program by torchrun on each of two machines, where no signal of this process reaches it."""

import subprocess
import sys

from torch.distributed.elastic.utils.distributed import get_free_port


def main() -> int:
    options = ["--nnodes=2", "--nproc-per-node=1", "--master-addr=127.0.0.1", f"--master-port={get_free_port()}"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", *options]
    machines = [
        subprocess.Popen([*torchrun, f"--node-rank={rank}", *sys.argv[1:]], start_new_session=True) for rank in (0, 1)
    ]
    return max(abs(machine.wait()) for machine in machines)


if __name__ == "__main__":
    sys.exit(main())

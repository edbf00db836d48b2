"""Starting the processes of a training: by Accelerate's launcher on this machine, or by a command of the user's.

One process needs no launcher, which costs seconds. The command is `launch` in compute.local.yaml: srun, mpirun,
torchrun or whatever else starts a program on the machines of a cluster, which see the project's folder under one path.
"""

import json
import logging
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from stages.pipeline import processes
from stages.pipeline.local import FILE, read_local
from tinybert.errors import InputError
from tinybert.training.progress import log


def is_needed() -> bool:
    """Whether this machine trains in more than the process that DVC has started. Raises InputError as `start` does."""
    return bool(read_local().launch) or _count() > 1


def start(content: dict[str, Any], folder: Path) -> None:
    """Run this program again in processes that each receive `content` by files below `folder`, until all ended well.

    Raises InputError with what the first one that failed has reported, or with how it ended.
    """
    _wait_for_ends(folder)
    folder = folder / secrets.token_hex(4)
    folder.mkdir(parents=True)
    (folder / processes.CONTENT).write_text(json.dumps(content), encoding="utf-8")
    program = sys.modules["__main__"].__spec__
    assert program is not None, "a stage is run as a module"
    arguments = ["-m", program.name, processes.LAUNCHED, str(folder)]
    launch = read_local().launch
    failed = _by_command([*map(_expand, launch)], arguments, folder) if launch else _by_accelerate(arguments)
    error = folder / processes.ERROR
    reported = error.read_text(encoding="utf-8") if error.exists() else ""
    shutil.rmtree(folder.parent)
    if failed:
        raise InputError(reported or failed)


def _wait_for_ends(folder: Path) -> None:
    """Where a run was killed: of its processes on other machines, which have no heartbeat any more."""
    if list(folder.glob(f"*/{processes.HEARTBEAT}")):
        log("waiting for processes of a killed run to end")
        time.sleep(processes.BEAT * (processes.SILENCE + 5))
    shutil.rmtree(folder, ignore_errors=True)


def _by_command(launch: list[str], arguments: list[str], folder: Path) -> str:
    """How it failed; empty where it did not."""
    try:
        process = subprocess.Popen([*launch, *arguments], preexec_fn=partial(processes.die_with_parent, os.getpid()))
    except OSError as error:
        raise InputError(f"{FILE}, launch: {launch[0]} cannot be started ({error.strerror})") from None
    with processes.heartbeat(folder):
        code = process.wait()
    ended = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    return f"{shlex.join(launch)} {ended}; see its output above" if code else ""


def _expand(argument: str | int) -> str:
    """Environment variables of `$NAME` and `${NAME}`, since a cluster tells a job its machines by them."""
    expanded = os.path.expandvars(str(argument))
    if missing := re.search(r"\$\{?(\w+)\}?", expanded):
        raise InputError(f"{FILE}, launch: the environment has no variable {missing[1]}, which {argument} names")
    return expanded


def _by_accelerate(arguments: list[str]) -> str:
    """On this machine; how it failed, empty where it did not."""
    from accelerate.commands.launch import launch_command, launch_command_parser
    from accelerate.utils import patch_environment
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    config = _config()
    # Below errors, torch complains about a way of summing gradients that tinybert.training.devices has chosen.
    environment = {"TORCH_CPP_LOG_LEVEL": os.environ.get("TORCH_CPP_LOG_LEVEL", "ERROR")}
    if config is not None and config.use_cpu:
        environment["ACCELERATE_USE_CPU"] = "true"
    logging.disable(logging.ERROR)  # the launcher's own lines on each process that ends
    try:
        with patch_environment(**environment):
            launch_command(launch_command_parser().parse_args([*_options(config), *arguments]))
    except SignalException as signal:
        sys.exit(128 + signal.sigval)
    except ChildFailedError as failed:
        rank, failure = failed.get_first_failure()
        return f"process {rank} has failed ({failure.message}); see its output above"
    return ""


def _count() -> int:
    """Processes that the machine's Accelerate config calls for; without one its number of GPUs."""
    config = _config()
    if config is not None and config.num_machines > 1:
        raise InputError(
            f"the Accelerate config of this machine calls for {config.num_machines} machines: "
            f"expected `launch` in {FILE}, the command that starts a training on them (docs/large.md)"
        )
    if config is not None:
        return config.num_processes
    import torch
    from accelerate.utils import parse_flag_from_env

    return 1 if parse_flag_from_env("ACCELERATE_USE_CPU") else max(1, torch.cuda.device_count())


def _config() -> Any:
    """The machine's Accelerate config, or None where `accelerate config` has not been run."""
    from accelerate.commands.config.config_args import default_config_file, load_config_from_file

    return load_config_from_file(None) if os.path.isfile(default_config_file) else None


def _options(config: Any) -> list[str]:
    """`--multi_gpu` starts them with torch's launcher on the CPU too, for which Accelerate would want MPI."""
    options = ["--multi_gpu", "--main_process_port", "0"]  # any port that is free
    if config is None:
        options += ["--num_processes", str(_count()), "--num_machines", "1"]
        options += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    return options

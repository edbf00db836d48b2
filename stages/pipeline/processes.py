"""The processes of a stage: it dies with dvc, and trains in as many processes as the machine calls for.

The process that DVC has started reads, locks and checks, and starts the others, by Accelerate's launcher, which do
the stage's work. One process needs no launcher, which costs seconds.
"""

import ctypes
import json
import logging
import os
import signal
import sys
from typing import Any

from tinybert.errors import InputError

PAYLOAD = "STAGE_PROCESS"
"""Environment variable that a started process finds its stage's parameters in."""
RENDEZVOUS_TIMEOUT = 24 * 3600
"""Seconds that a machine waits for the others to come to the same stage."""


def received() -> dict[str, Any] | None:
    """What `start` passes on, in a process that it has started; None elsewhere."""
    return json.loads(os.environ[PAYLOAD]) if PAYLOAD in os.environ else None


def is_local_main_process() -> bool:
    """Whether this process prints and writes on this machine."""
    return int(os.environ.get("LOCAL_RANK", 0)) == 0


def count() -> int:
    """Processes that the machine's Accelerate config calls for, over all machines; without one its number of GPUs."""
    config = _config()
    if config is not None:
        return config.num_processes
    import torch
    from accelerate.utils import parse_flag_from_env

    return 1 if parse_flag_from_env("ACCELERATE_USE_CPU") else max(1, torch.cuda.device_count())


def machines() -> int:
    """Machines that the machine's Accelerate config calls for."""
    config = _config()
    return config.num_machines if config is not None else 1


def start(content: dict[str, Any]) -> None:
    """Run this program in `count()` processes, each with `content`, until all have ended well.

    Raises InputError with what the first one that failed has reported, or with how it ended.
    """
    from accelerate.commands.launch import launch_command, launch_command_parser
    from accelerate.utils import patch_environment
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    config = _config()
    # Below errors, torch complains about a way of summing gradients that tinybert.training.devices has chosen.
    environment = {PAYLOAD: json.dumps(content), "TORCH_CPP_LOG_LEVEL": os.environ.get("TORCH_CPP_LOG_LEVEL", "ERROR")}
    if config is not None and config.use_cpu:
        environment["ACCELERATE_USE_CPU"] = "true"
    program = sys.modules["__main__"].__spec__
    assert program is not None, "a stage is run as a module"
    logging.disable(logging.ERROR)  # the launcher's own lines on each process that ends
    try:
        with patch_environment(**environment):
            launch_command(launch_command_parser().parse_args([*_options(config), "--module", program.name]))
    except SignalException as signal:
        sys.exit(128 + signal.sigval)
    except ChildFailedError as failed:
        raise InputError(_reason(*failed.get_first_failure())) from None


def report(error: InputError) -> None:
    """Tell the process that has started this one."""
    from torch.distributed.elastic.multiprocessing.errors import get_error_handler

    get_error_handler().record_exception(error)


def leave() -> None:
    """Destroy the process group."""
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()


def _config() -> Any:
    """The machine's Accelerate config, or None where `accelerate config` has not been run."""
    from accelerate.commands.config.config_args import default_config_file, load_config_from_file

    return load_config_from_file(None) if os.path.isfile(default_config_file) else None


def _options(config: Any) -> list[str]:
    """`--multi_gpu` starts them with torch's launcher on the CPU too, for which Accelerate would want MPI."""
    options = ["--multi_gpu"]
    if config is None:
        options += ["--num_processes", str(count()), "--num_machines", "1"]
        options += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    if config is None or config.num_machines == 1:
        options += ["--main_process_port", "0"]  # any that is free
    else:
        options += ["--rdzv_conf", f"timeout={RENDEZVOUS_TIMEOUT}"]
    return options


def _reason(rank: int, failure: Any) -> str:
    """What `report` was given there; a process that could not report is named, with how it ended."""
    content = failure.error_file_data["message"]
    reported = content["message"].partition("InputError: ")[2] if isinstance(content, dict) else ""
    return reported or f"process {rank} has failed ({failure.message}); see its output above"


PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent() -> None:
    """Ask Linux for SIGKILL when the parent ends, so that a killed `dvc` leaves no writer behind. Nothing elsewhere.

    The parent is dvc itself since dvc.yaml starts a stage with `exec`, in the place of the shell.
    SIGTERM would not do: a program that was started where it is ignored, as some services do, ignores it too.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit("the process that started this stage is gone")

"""Models in onnxruntime, without torch."""

from pathlib import Path

import numpy as np
import onnxruntime

QUIET = 3  # errors only


def open_session(file: Path, *, threads: int) -> onnxruntime.InferenceSession:
    """A session on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = QUIET
    # Its threads would wait spinning for the next call, on processors that other models may be running on.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def outputs(session: onnxruntime.InferenceSession, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All outputs by their names."""
    names = [output.name for output in session.get_outputs()]
    found: list[np.ndarray] = list(session.run(names, inputs))  # pyright: ignore[reportAssignmentType]
    return dict(zip(names, found, strict=True))

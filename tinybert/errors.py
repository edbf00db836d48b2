"""Errors with a message for the user: bad input, and environment errors (disk, permissions, memory)."""

import errno
import re


class InputError(Exception):
    """Bad input: a parameter, a file, a row or a checkpoint that a user can correct.

    The message is complete without a traceback: where, what was got, what is expected. An exception that is neither
    this nor known to `explain` is a bug of ours.
    """


SHOWN_CHARACTERS = 60


def shorten(value: object) -> str:
    """A value as Python writes it, for a message: of a long one the beginning."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 3]}..."


ENVIRONMENT_ERRORS = {
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file is larger than this system allows",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "operation not permitted",
    errno.EIO: "the device cannot be read or written",
    errno.EMFILE: "too many open files",
}


def explain(error: BaseException) -> str | None:
    """Describe an environment error, with its file where it has one; None for an error of another kind."""
    of_rust = re.search(r"\(os error (\d+)\)", str(error))  # as safetensors says it
    code, file = (error.errno, error.filename) if isinstance(error, OSError) else (of_rust and int(of_rust[1]), None)
    if code in ENVIRONMENT_ERRORS:
        return f"{ENVIRONMENT_ERRORS[code]}{f': {file}' if file else ''}"
    if _is_out_of_memory(error):
        return f"not enough memory ({error or type(error).__name__}), a smaller batch_size needs less"
    return None


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether Python or torch could not allocate; torch raises RuntimeErrors of its own."""
    by_torch = type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and by_torch)

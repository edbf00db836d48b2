"""Errors with a message for the user: bad input, and environment errors (disk, permissions, memory)."""

import errno


class InputError(Exception):
    """Bad input: a parameter, a file, a row or a checkpoint that a user can correct.

    The message is complete without a traceback: where, what was got, what is expected. An exception that is neither
    this nor known to `explain` is a bug of ours.
    """


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
    code = error.errno if isinstance(error, OSError) else _os_error_code(str(error))
    if code in ENVIRONMENT_ERRORS:
        file = error.filename if isinstance(error, OSError) else None
        return f"{ENVIRONMENT_ERRORS[code]}{f': {file}' if file else ''}"
    if _is_out_of_memory(error):
        return f"not enough memory ({error or type(error).__name__}), a smaller batch_size needs less"
    return None


def _os_error_code(message: str) -> int | None:
    """The errno in a message of safetensors, which is written in Rust: `No space left on device (os error 28)`."""
    _, marker, rest = message.partition("(os error ")
    number = rest.partition(")")[0]
    return int(number) if marker and number.isdigit() else None


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether Python or torch could not allocate; torch raises RuntimeErrors of its own."""
    by_torch = type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and by_torch)

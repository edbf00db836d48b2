"""Troubles of the machine, not of the program: what a user can mend, in one sentence."""

import errno

DISK = {
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file is larger than this system allows",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "operation not permitted",
    errno.EIO: "the device cannot be read or written",
    errno.EMFILE: "too many open files",
}
UNHARMED = "nothing half-written was left; run `dvc repro` again when that is mended"


def explain(error: BaseException) -> str | None:
    """What is wrong with the machine, or None for an error of another kind."""
    code = error.errno if isinstance(error, OSError) else _code_in(str(error))
    if code in DISK:
        where = error.filename if isinstance(error, OSError) else None
        return f"{DISK[code]}{f': {where}' if where else ''}; {UNHARMED}"
    if _is_memory(error):
        return f"not enough memory ({error or type(error).__name__}), a smaller batch_size needs less; {UNHARMED}"
    return None


def _code_in(message: str) -> int | None:
    """The errno in a message of safetensors, which is written in Rust: `No space left on device (os error 28)`."""
    _, found, rest = message.partition("(os error ")
    number = rest.partition(")")[0]
    return int(number) if found and number.isdigit() else None


def _is_memory(error: BaseException) -> bool:
    """torch says it by RuntimeErrors of its own."""
    by_torch = type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and by_torch)

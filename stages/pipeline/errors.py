"""The one exception for what a user can cause and mend."""


class InputError(Exception):
    """Something the user gave is wrong: a parameter, a file, a row, a checkpoint.

    The message names where it is, what was found and what is wanted. A stage prints it without a traceback and
    exits with 1, as it does for troubles of the machine (trouble.py); every other exception is a bug of ours and
    keeps its traceback.
    """

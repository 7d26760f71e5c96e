"""What went wrong, in one line that a user can act on."""

import errno


class CrawlmixError(Exception):
    """The user's input, recipe or environment is at fault; the message names the place and the remedy.

    The command line prints the message and exits with `exit_code`; no traceback is shown.
    """

    exit_code = 1


class UsageError(CrawlmixError):
    """A wrong recipe, option or input path: nothing was started."""

    exit_code = 2


class NoFileError(UsageError):
    """There is no file of this name; nothing else is wrong."""


_ENVIRONMENT = {
    errno.ENOSPC: "cannot write: the disk is full; make room",
    errno.EDQUOT: "cannot write: the disk quota is used up; make room",
    errno.EROFS: "cannot write: the file system is read-only; make it writable",
    errno.EACCES: "no permission; change the permissions of this path",
    errno.EPERM: "no permission; change the permissions of this path",
    errno.EIO: "cannot be read or written: the disk or network drive reports an error; check it",
    errno.ESTALE: "the network drive lost this file; check it",
    errno.EMFILE: "too many open files; raise the limit (`ulimit -n`)",
    errno.ENFILE: "too many open files on this machine; close some programs",
    errno.ENOMEM: "out of memory; use fewer workers",
    errno.EAGAIN: "the system starts no more processes; use fewer workers or raise the limit (`ulimit -u`)",
}


def as_user_error(error: BaseException) -> CrawlmixError | None:
    """Return the user's error that an exception stands for, if it does.

    Exceptions of the system that no code can mend, such as a full disk, are told with their remedy. The packages below `pipeline` (mixtures, classifiers, training, text) cannot import it; their own exceptions
    derive from ValueError and carry one clear line.
    """
    if isinstance(error, CrawlmixError):
        return error
    if isinstance(error, MemoryError):
        return CrawlmixError(
            "out of memory; use fewer workers, smaller parts (`part_bytes`), or a larger machine"
        )
    if isinstance(error, OSError) and error.errno in _ENVIRONMENT:
        place = f"{error.filename}: " if error.filename else ""
        return CrawlmixError(
            f"{place}{_ENVIRONMENT[error.errno]}, then start again (what is finished is not done twice)"
        )
    package = type(error).__module__.partition(".")[0]
    if isinstance(error, ValueError) and package in {"mixtures", "classifiers", "training", "text"}:
        return CrawlmixError(str(error))
    return None

"""What went wrong, in one line that a user can act on."""


class CrawlmixError(Exception):
    """The user's input, recipe or environment is at fault; the message names the place and the remedy.

    The command line prints the message and exits with `exit_code`; no traceback is shown.
    """

    exit_code = 1


class UsageError(CrawlmixError):
    """A wrong recipe, option or input path: nothing was started."""

    exit_code = 2


def as_user_error(error: BaseException) -> CrawlmixError | None:
    """Return the user's error that an exception stands for, if it does.

    The packages below `pipeline` (mixtures, classifiers, training, text) cannot import it; their own exceptions
    derive from ValueError and carry one clear line.
    """
    if isinstance(error, CrawlmixError):
        return error
    package = type(error).__module__.partition(".")[0]
    if isinstance(error, ValueError) and package in {"mixtures", "classifiers", "training", "text"}:
        return CrawlmixError(str(error))
    return None

"""What went wrong, in one line that a user can act on."""


class CrawlmixError(Exception):
    """The user's input, recipe or environment is at fault; the message names the place and the remedy.

    The command line prints the message and exits with `exit_code`; no traceback is shown.
    """

    exit_code = 1


class UsageError(CrawlmixError):
    """A wrong recipe, option or input path: nothing was started."""

    exit_code = 2

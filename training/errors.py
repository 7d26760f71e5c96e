"""What went wrong in training, in one line that a user can act on."""


class TrainingError(ValueError):
    """The user's mixture, options, checkpoint or machine is at fault; the message names the place and the remedy."""

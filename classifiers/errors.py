"""What can be wrong with a classifier, its training data or its files, in one line that a user can act on."""


class ClassifierError(ValueError):
    """The training data, an option or a model file is at fault; the message names the place and the remedy."""

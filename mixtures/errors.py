"""What is wrong with a mixture or its shards, in one line that a user can act on."""


class MixtureError(ValueError):
    """Weights, shards or a mixture file are at fault; the message names the place, the finding and the remedy."""

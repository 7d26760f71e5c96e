"""Settings of all tests."""

import os

from hypothesis import settings

# The same examples in every run, however busy the machine is: a change is judged by what it changed.
# HYPOTHESIS_PROFILE=explore looks further.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

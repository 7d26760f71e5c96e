"""Weights, schedule, permutation and shards: which tokens a run sees, and when. numpy only."""

"""Side by side with peers and limits; each module prints a table: `python -m benchmarks.NAME`."""

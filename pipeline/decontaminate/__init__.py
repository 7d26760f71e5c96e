"""Benchmark text in training documents: index, scan, cut."""

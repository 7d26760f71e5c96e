"""Readers, one per input format: bytes in, records out."""

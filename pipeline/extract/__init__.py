"""Bytes of a page into text: charset, markup, opt-out signals, and a worker that can be killed."""

"""GPT-3's decoder trained on the mixtures."""

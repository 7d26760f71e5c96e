"""What is known about a document: language, signals, rules, quality, personal data."""

"""What a build did: ledger, pages, explanations."""

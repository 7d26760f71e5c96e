"""Near-duplicates: signatures, bands, components, and which copy stays."""

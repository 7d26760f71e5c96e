"""The embedded sample: a small crawl that the project makes itself."""

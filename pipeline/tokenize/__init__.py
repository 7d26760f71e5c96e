"""Text into token shards."""

"""WARC to token shards, as Apache Beam stages."""

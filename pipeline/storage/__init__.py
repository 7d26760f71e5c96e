"""Reading and writing wherever the data lies: local folders, http(s), s3 and gs.

Import from the modules: `paths` (names), `reading` (open, size, exists), `globs` (patterns), `manifest` (lists of
files), `publish` (atomic outputs), `lock` (one build in a workspace), `listing`. Nothing of the network is
imported before a remote URL is touched.
"""

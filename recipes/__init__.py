"""Complete builds, as YAML files."""

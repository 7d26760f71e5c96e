"""The sections of a recipe as pydantic models."""

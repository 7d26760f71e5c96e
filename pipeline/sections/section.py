"""A section of a recipe; every unknown key is answered with the nearest known one."""

from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]


class Section(BaseModel):
    """A part of the recipe; strict: an unknown key is an error that names the nearest known one."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _explain_unknown_keys(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        known = [field.alias or name for name, field in cls.model_fields.items()]
        for key in raw:
            if str(key) not in known:
                near = get_close_matches(str(key), known, n=1)
                hint = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(known)}"
                raise ValueError(f"unknown key `{key}`; {hint}")
        return raw

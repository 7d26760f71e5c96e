"""How pages become text."""

from typing import Literal

from pydantic import Field, PositiveInt

from pipeline.sections.section import Section
from pipeline.units import ByteSize


class Extract(Section):
    """How pages become text, and what is too large or too deep to try."""

    engine: Literal["resiliparse", "resiliparse_dclm", "trafilatura", "all_text"] = "resiliparse"
    statuses: list[PositiveInt] = Field([200], min_length=1, description="HTTP statuses that go on")
    media_types: list[str] = Field(["text/html", "application/xhtml+xml", "text/plain"], min_length=1)
    max_bytes: ByteSize = Field(4 << 20, description="of a decoded page; larger ones are removed")
    max_depth: PositiveInt = Field(2000, description="open tags; deeper pages are removed")
    max_tags: PositiveInt = Field(400_000, description="tags in a page; pages with more are removed")
    max_cpu_seconds: PositiveInt = Field(
        30, description="backstop far above any normal page; ends as `failed`"
    )
    max_memory: ByteSize = Field(3 << 30, description="address space of the extractor's process")

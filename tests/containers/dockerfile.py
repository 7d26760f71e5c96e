"""A Dockerfile as its instructions, stage by stage."""

import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Stage:
    """What stands between one FROM and the next."""

    image: str
    name: str | None
    steps: list[tuple[str, str]] = field(default_factory=list)  # instruction and its text, on one line

    def all(self, instruction: str) -> list[str]:
        return [text for name, text in self.steps if name == instruction]


def read(path: Path) -> list[Stage]:
    """Read the stages of a Dockerfile; comments go, also those between continued lines."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    text = re.sub(r"\\\n\s*", "", "\n".join(lines))
    stages: list[Stage] = []
    for line in filter(str.strip, text.splitlines()):
        instruction, _, rest = line.strip().partition(" ")
        if instruction == "FROM":
            image, _, name = rest.partition(" AS ")
            stages.append(Stage(image, name or None))
        elif stages:
            stages[-1].steps.append((instruction, rest.strip()))
    return stages

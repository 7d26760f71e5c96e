"""GPT-3's eight models (Brown et al. 2020, table 2.1), and a tiny one for tests and processors without a GPU."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from typing import Any, Self

from training.errors import TrainingError

GPT2_VOCABULARY = 50_257
CONTEXT = 2048
PAPER_TOKENS = 300_000_000_000  # every model of table 2.1 saw as many
PAPER_QUANTUM = 32_768  # tokens; 16 sequences of 2048, the paper's first batch
_PADDING = (
    128  # rows of the embedding come in multiples of this: matrix products of odd sizes are slow on GPUs
)


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The shape of a model.

    Args:
        pattern: attention of the layers in turn, repeated: `L` dense, `S` banded. `LS` is GPT-3's alternation; the
            paper gives neither order nor width of the bands, so `LS` with window 256 is a reconstruction (the same
            as GPT-Neo's). `L` is dense throughout, as GPT-2.
        window: keys that a banded layer sees, the position itself included.
        vocabulary: ids of the tokenizer; the embedding has `padded_vocabulary` rows.
    """

    layers: int
    width: int
    heads: int
    context: int = CONTEXT
    vocabulary: int = GPT2_VOCABULARY
    pattern: str = "LS"
    window: int = 256

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise TrainingError(
                f"{self.heads} heads cannot share a width of {self.width} evenly; heads x head width must be the width"
            )
        if not self.pattern or set(self.pattern) - set("LS"):
            raise TrainingError(
                f"attention pattern `{self.pattern}`: write L (dense) and S (banded), as in `LS` or `L`"
            )
        if self.layers % len(self.pattern):
            raise TrainingError(
                f"attention pattern `{self.pattern}` does not divide {self.layers} layers evenly"
            )
        if self.window < 1:
            raise TrainingError(f"window {self.window}: a position sees at least itself, so 1 or more")

    @property
    def head_width(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads

    @property
    def padded_vocabulary(self) -> int:
        """Rows of the embedding."""
        return -(-self.vocabulary // _PADDING) * _PADDING

    @property
    def qkv_bias(self) -> bool:
        """Only dense models have it: GPT-Neo, the layout that banded ones are exported to, has none."""
        return "S" not in self.pattern

    def layer_window(self, layer: int) -> int | None:
        """Window of a layer; None if it is dense."""
        return self.window if self.pattern[layer % len(self.pattern)] == "S" else None

    def parameter_count(self) -> int:
        """Parameters as the paper counts them: real vocabulary, output tied to the embedding, biases everywhere.

        N = V d + T d + L (12 d^2 + 13 d) + 2 d. Banded models lack the 3 d biases of queries, keys and values.
        """
        d = self.width
        per_layer = 12 * d * d + 13 * d - (0 if self.qkv_bias else 3 * d)
        return self.vocabulary * d + self.context * d + self.layers * per_layer + 2 * d

    def flops_per_token(self, sequence_length: int) -> int:
        """Forward and backward operations for a token: 6 N + 12 L d T, attention counted as if dense and unmasked."""
        return 6 * self.parameter_count() + 12 * self.layers * self.width * sequence_length

    def to_dict(self) -> dict[str, Any]:
        """For a checkpoint or an export."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        return cls(**raw)


@dataclass(frozen=True, slots=True)
class Preset:
    """A model with its published batch and learning rate."""

    model: ModelConfig
    learning_rate: float
    batch_tokens: int
    ramp_tokens: (
        int  # of a run of PAPER_TOKENS; over these the batch grows. Unpublished per size: 4e9 to 12e9
    )
    quantum_tokens: int = PAPER_QUANTUM
    min_batch: int = 1  # sequences, however long they are
    schedule_scale: float | None = None  # see `plan_schedule`; None fits the schedule to the run


def _gpt3(layers: int, width: int, heads: int, *, rate: float, sequences: int, ramp: float = 4e9) -> Preset:
    model = ModelConfig(layers=layers, width=width, heads=heads)
    return Preset(model, learning_rate=rate, batch_tokens=sequences * CONTEXT, ramp_tokens=int(ramp))


# Table 2.1 prints batches rounded (0.5M, 1M, 2M, 3.2M tokens); here they are powers of two of sequences.
# Two printed rows contradict themselves, and the presets depart from them:
# - XL (1.3B) prints 24 heads of 128 for a width of 2048, but 24 x 128 = 3072. Here: 16 heads of 128.
# - 13B prints a width of 5140 for 40 heads of 128, but 40 x 128 = 5120. Here: 5120, as in EleutherAI's config.
PRESETS: Mapping[str, Preset] = {
    # Not in the paper: learns on a processor in seconds. GPT-2's vocabulary makes nearly all of its work.
    "tiny": Preset(
        ModelConfig(layers=2, width=32, heads=4, window=32),
        learning_rate=1e-2, batch_tokens=512, ramp_tokens=0, quantum_tokens=1, min_batch=2,
        schedule_scale=1.4e-5,  # warm-up over 5,000 tokens, decay over 3.6 million
    ),
    "gpt3-125m": _gpt3(12, 768, 12, rate=6.0e-4, sequences=256),
    "gpt3-350m": _gpt3(24, 1024, 16, rate=3.0e-4, sequences=256),
    "gpt3-760m": _gpt3(24, 1536, 16, rate=2.5e-4, sequences=256),
    "gpt3-1.3b": _gpt3(24, 2048, 16, rate=2.0e-4, sequences=512),
    "gpt3-2.7b": _gpt3(32, 2560, 32, rate=1.6e-4, sequences=512, ramp=8e9),
    "gpt3-6.7b": _gpt3(32, 4096, 32, rate=1.2e-4, sequences=1024, ramp=8e9),
    "gpt3-13b": _gpt3(40, 5120, 40, rate=1.0e-4, sequences=1024, ramp=8e9),
    "gpt3-175b": _gpt3(96, 12288, 96, rate=0.6e-4, sequences=1536, ramp=12e9),
}  # fmt: skip


def find_preset(name: str) -> Preset:
    """Look a preset up.

    Raises:
        TrainingError: there is none of this name; names the nearest.
    """
    if name in PRESETS:
        return PRESETS[name]
    near = get_close_matches(name, PRESETS, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(PRESETS)}"
    raise TrainingError(f"no preset `{name}`; {hint}")


def configure(
    preset: Preset,
    *,
    vocabulary: int,
    pattern: str | None = None,
    window: int | None = None,
    context: int | None = None,
) -> ModelConfig:
    """The preset's model for a tokenizer, with what the user changed."""
    model = replace(preset.model, vocabulary=vocabulary)
    if pattern is not None:
        model = replace(model, pattern=pattern)
    if window is not None:
        model = replace(model, window=window)
    return model if context is None else replace(model, context=context)

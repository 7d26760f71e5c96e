"""Writes the safetensors format: eight bytes of length, a JSON header, then the tensors. No code in it, ever."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

_TYPES = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16"}
_ALIGNMENT = 8


def write_safetensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors under their names, sorted, so that the same tensors give the same bytes.

    The file appears by rename, whole or not at all.
    """
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name in sorted(tensors):
        tensor = tensors[name]
        size = tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little"))
        stream.write(text)
        for name in sorted(tensors):
            flat = tensors[name].detach().cpu().contiguous().flatten()
            stream.write(flat.view(torch.uint8).numpy().data)
    temporary.replace(path)

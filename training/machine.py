"""What the machine can do and how much of it is used."""

import resource
import sys

import torch

from training.presets import ModelConfig

# Dense bfloat16 peaks from the vendors' data sheets, FLOP/s; the first name that occurs in the device's is taken.
_PEAKS = {
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "GH200": 989e12,
    "B200": 2250e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "RTX 4090": 165e12,
}


def peak_flops(device: torch.device) -> float | None:
    """Bfloat16 peak of a GPU; None where it is not known."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak for part, peak in _PEAKS.items() if part in name), None)


def convention(device: torch.device) -> str:
    """How MFU is counted here, for printing beside it."""
    peak = peak_flops(device)
    told = (
        f"bf16 dense peak {peak / 1e12:.0f} TFLOP/s" if peak else f"no peak known for {device.type}, so none"
    )
    return f"(6N + 12LdT) x tokens/s / peak; N with embeddings, attention unmasked; {told}"


def utilisation(
    model: ModelConfig, *, sequence_length: int, tokens_per_second: float, device: torch.device, devices: int
) -> float | None:
    """Model FLOPs utilisation, 0 to 1, by `convention`; None where the peak is not known."""
    peak = peak_flops(device)
    if peak is None:
        return None
    return model.flops_per_token(sequence_length) * tokens_per_second / (peak * devices)


def memory_bytes(device: torch.device) -> int:
    """Most memory used so far: of the GPU, or of the process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    # Linux counts in KiB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

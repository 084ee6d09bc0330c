"""Where networks learn and are asked: the CPU, or a GPU that PyTorch sees."""

from __future__ import annotations

import torch

from glean.errors import SettingsError


def device_of(wanted: str) -> str:
    """Give PyTorch's name of a device.

    Parameters
    ----------
    wanted : str
        "cpu"; "gpu"; or "auto", a GPU if there is one. AMD's are called "cuda" by PyTorch too.

    Raises
    ------
    SettingsError
        A GPU is wanted and PyTorch sees none.
    """
    if wanted != "cpu" and torch.cuda.is_available():
        _settle()
        return f"cuda:{torch.cuda.current_device()}"
    if wanted == "gpu":
        build = torch.version.cuda or torch.version.hip or "CPUs only"
        raise SettingsError(
            f"device: found gpu; PyTorch finds none here (it is {torch.__version__}, for {build}): "
            "wanted 'cpu' or 'auto', or a PyTorch for this machine's GPU"
        )
    return "cpu"


def device_beside(wanted: str) -> str:
    """Give the device of a simulation's server, which doesn't insist on a GPU."""
    return device_of("auto" if wanted == "gpu" else wanted)


def _settle() -> None:
    """Have convolutions take one algorithm, in full single precision.

    What else PyTorch adds up in no fixed order on a GPU (the gradients of pooled means, say) stays
    so: to refuse it would refuse the networks.
    """
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False

"""Run as a module: print what torch finds here as one line of JSON. A process of its own, since drivers may abort."""

from __future__ import annotations

import json
import sys


def main() -> None:
    """Import torch and look for a GPU."""
    import torch

    gpu = ""
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        gpu = f"{torch.cuda.get_device_name(0)}, {memory:.0f} GiB"
    elif torch.backends.mps.is_available():
        gpu = "Apple GPU (MPS)"
    sys.stdout.write(json.dumps({"torch": f"torch {torch.__version__}", "gpu": gpu}) + "\n")


if __name__ == "__main__":
    main()

"""What is read off the model itself, one number per prompt and run; see `drift` and `binding`.

These names stand in claims and tables beside those of the image probes. Importing them needs no
torch.
"""

from __future__ import annotations

import numpy as np

from lab.probe.spec import Probe

__all__ = ["MODEL_PROBES"]

MODEL_PROBES = {
    "drift": Probe("drift", "share", "higher", 0, np.inf,
                   "functional drift of a prompt, mean over 8 timesteps: how much of the base's "
                   "prediction the adapter changes",
                   "squared change of the prediction over the prediction's own square"),
    "binding": Probe("binding", "loss", "higher", -np.inf, np.inf,
                     "how much more a wrong caption costs a caption's training images with the "
                     "adapter than without; for prompts that are training captions",
                     "Li et al. 2023, https://arxiv.org/abs/2303.16203"),
}  # fmt: skip

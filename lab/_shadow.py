"""Keep the project's folder `datasets/` from posing as the Hugging Face library `datasets`.

`python -m lab` puts the working directory first on `sys.path`. There `datasets/` looks like a
namespace package, transformers then believes that the library is installed, and later calls fail.
"""

import sys
from importlib.util import find_spec

if "datasets" not in sys.modules:
    _spec = find_spec("datasets")
    if _spec is not None and _spec.origin is None:
        sys.modules["datasets"] = None  # type: ignore[assignment]

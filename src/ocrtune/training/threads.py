"""How PyTorch's threads wait for work."""

from __future__ import annotations

import os

_SPINS = "2000"  # some ten microseconds; 0 and 2000 were equally fast, the default a fifth slower


def let_threads_sleep() -> None:
    """Have PyTorch's threads sleep soon after an operator; before torch is imported, and unless the user chose.

    GNU OpenMP's would otherwise spin for milliseconds, on the very cores that our own loops then want
    (:mod:`ocrtune.training.compiled`). Other implementations of OpenMP do not read this.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)

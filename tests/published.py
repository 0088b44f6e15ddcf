"""A release as far as a keeper of maps reads it."""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from edge.privacy.mechanism import Mechanism


class Published(NamedTuple):
    receipt: SimpleNamespace
    sums: np.ndarray
    mechanism: Mechanism

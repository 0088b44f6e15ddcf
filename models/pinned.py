"""The SHA-256 of every manifest that ships, in hex: a manifest vouches for its files, and this for the manifest.

`python -m models.training.seal` tells the line after a model has been made again.
"""

from collections.abc import Mapping
from types import MappingProxyType

PINNED: Mapping[str, str] = MappingProxyType(
    {"learned-1": "784f55c1ff5b705267bb8b15b4e44bd7e09dd35135d4cd9d8b2f650c7c5d4a33"}
)

"""The SHA-256 of every manifest that ships, in hex: a manifest vouches for its files, and this for the manifest.

`python -m models.training.seal` tells the line after a model has been made again.
"""

from collections.abc import Mapping
from types import MappingProxyType

PINNED: Mapping[str, str] = MappingProxyType(
    {"learned-1": "b48498e8e041a346f7496962be0a402f74bfc28c0942a58f2429894dd31bdef5"}
)

"""The SHA-256 of every manifest that ships, in hex: a manifest vouches for its files, and this for the manifest.

`python -m models.seal NAME` tells the line after a model has been made again.
"""

from collections.abc import Mapping
from types import MappingProxyType

PINNED: Mapping[str, str] = MappingProxyType({})

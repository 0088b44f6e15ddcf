"""The SHA-256 of every manifest that ships, in hex: a manifest vouches for its files, and this for the manifest.

`python -m models.training.seal` tells the line after a model has been made again.
"""

from collections.abc import Mapping
from types import MappingProxyType

PINNED: Mapping[str, str] = MappingProxyType(
    {"learned-1": "479a99ff88e7ad1c823c1f97b461d9c8b52471129c587bf049906f5daa179562"}
)

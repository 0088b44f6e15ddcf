"""A map in, the features that are published out."""

from edge.features.denoise import denoise
from edge.features.keypoints import detect
from edge.features.map import Map
from edge.features.vector import grid_vector
from wire.schema import Features

METHOD = "sift-dctwiener/1"
"""Changes whenever the same map would give other features: collectors compare like with like."""


def describe(source: Map) -> Features:
    """Keypoints, descriptors and the grid vector of one map. Deterministic; post-processing of releases."""
    image = denoise(source)
    keypoints, descriptors = detect(image, source.cell)
    return Features(
        method=METHOD,
        width=source.width,
        height=source.height,
        keypoints=keypoints,
        descriptors=descriptors,
        vector=grid_vector(image),
        noise=source.noise,
        fused=list(source.fused),
    )

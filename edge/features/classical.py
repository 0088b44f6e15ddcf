"""The method without a network: SIFT and low spatial frequencies of the denoised map."""

import math
from dataclasses import dataclass

import numpy as np

from edge.features.denoise import denoise
from edge.features.map import Map
from edge.features.sift import contrast, detect
from edge.features.vector import grid_vector
from wire.features import quantise, quantise_vector
from wire.schema import Features

METHOD = "sift-dctwiener/2"
"""Changes whenever the same map would give other features: collectors compare like with like."""


@dataclass(frozen=True, slots=True)
class Classical:
    """Describes maps without any file beside the program. Deterministic."""

    def describe(self, source: Map) -> Features:
        """Keypoints, descriptors and the grid vector of one map: post-processing of releases.

        The strength is SIFT's, the difference of two blurs, in standard deviations of one cell's noise. SIFT does not
        know how sure its positions are, so no spread is told; its angle stays here, as nothing reads it.
        """
        image = denoise(source)
        found, descriptors = detect(image, source.cell)
        response = found[:, 4].astype(np.float64) * contrast(image)
        return Features(
            method=METHOD,
            width=source.width,
            height=source.height,
            keypoints=quantise(
                (found[:, :2].astype(np.float64) + 0.5) / source.cell - 0.5,
                found[:, 2].astype(np.float64) / source.cell,
                response / source.noise if source.noise > 0 else np.full(len(found), math.inf),
                np.zeros(len(found)),
                cell=source.cell,
                width=source.width,
                height=source.height,
            ),
            descriptors=descriptors,
            vector=quantise_vector(grid_vector(image)),
            noise=source.noise,
            fused=list(source.fused),
        )

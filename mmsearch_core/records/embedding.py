"""A vector of a segment's picture or of a passage's text."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embedding:
    """A unit vector, shape (dimension,), of the segment or the passage ``record_id`` in the named
    space."""

    record_id: str
    space: str
    vector: Vector

    def __post_init__(self) -> None:
        if self.vector.ndim != 1 or not np.all(np.isfinite(self.vector)):
            raise ValueError(f"an embedding is one finite vector, not shape {self.vector.shape}")

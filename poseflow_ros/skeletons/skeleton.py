"""Definition of a skeleton."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from poseflow_ros.poses import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Skeleton:
    """The meaning of the K keypoints of a pose.

    The first `n_body` keypoints are the body. Only these are used for confidence and association;
    the others (feet, face, hands) are carried along.

    Attributes:
        name: used in messages.
        keypoint_names: K names.
        n_body: number of body keypoints.
        edges: pairs of keypoint indices that are connected by a line.
        flip_pairs: pairs of left and right keypoint indices, exchanged when an image is mirrored.
        torso: indices of the torso keypoints.
        limbs: pairs of body keypoint indices, the ends of the limbs from which the size of a
            person is estimated.
        limb_lengths: of the limbs, relative to the height of a standing person.
        oks_sigmas: K standard deviations of the object keypoint similarity, relative to the
            square root of the person's area.
    """

    name: str
    keypoint_names: tuple[str, ...]
    n_body: int
    edges: tuple[tuple[int, int], ...]
    flip_pairs: tuple[tuple[int, int], ...]
    torso: tuple[int, ...]
    limbs: tuple[tuple[int, int], ...]
    limb_lengths: tuple[float, ...]
    oks_sigmas: tuple[float, ...]

    @property
    def n_keypoints(self) -> int:
        """K."""
        return len(self.keypoint_names)

    @cached_property
    def body_sigmas(self) -> FloatArray:
        """(n_body,) of `oks_sigmas`."""
        return np.array(self.oks_sigmas[: self.n_body])

    @cached_property
    def torso_indices(self) -> IntArray:
        """`torso` as an array."""
        return np.array(self.torso)

    @cached_property
    def limb_ends(self) -> tuple[IntArray, IntArray]:
        """`limbs` as two arrays of indices."""
        starts, ends = np.array(self.limbs).T
        return starts, ends

    @cached_property
    def squared_limb_lengths(self) -> FloatArray:
        """The squares of `limb_lengths`."""
        return np.array(self.limb_lengths) ** 2

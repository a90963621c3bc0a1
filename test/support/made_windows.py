"""Windows with random poses, gaps and keypoints without scores."""

import numpy as np

from poseflow_ros.actions.windows import Windows

W, H = 640, 480


def make_windows(n=3, t=20, k=17, seed=0):
    """Return windows of N people; the first one has a gap."""
    rng = np.random.default_rng(seed)
    observed = np.ones((n, t), bool)
    observed[0, 5:9] = False
    keypoints = (rng.random((n, t, k, 2)) * (200, 300) + (100, 50)).astype(np.float32)
    scores = rng.random((n, t, k)).astype(np.float32)
    scores[rng.random(scores.shape) < 0.1] = 0.0
    scores[rng.random(scores.shape) < 0.05] = 0.01
    keypoints[~observed], scores[~observed] = np.nan, 0.0
    return Windows(
        camera="front",
        epoch=2,
        image_size=(H, W),
        start_s=12.5,
        end_s=13.1,
        track_ids=np.arange(n) + 7,
        keypoints=keypoints,
        scores=scores,
        points=np.zeros((n, t, k, 0), np.float32),
        observed=observed,
    )

"""A generated recording of two people with perfect detections."""

import numpy as np

N_FRAMES, RATE_HZ, SIZE = 12, 8, (32, 80)


def corner(who, frame):
    """The upper left corner: person 1 walks to the right, person 2 stands."""
    return (20 + 2 * frame, 20) if who == 1 else (110, 25)


def make_detections(path, score=0.9, n_frames=N_FRAMES):
    """Write perfect detections; person 2 is not there in the first frame."""
    found = sightings(n_frames)
    boxes = np.array([[*corner(who, f), *np.add(corner(who, f), SIZE)] for f, who in found], float)
    steps = np.linspace(0.1, 0.9, 17)[:, None]
    points = boxes[:, None, :2] + steps * (boxes[:, None, 2:] - boxes[:, None, :2])
    np.savez(
        path,
        frame=[f for f, _ in found],
        box=boxes,
        score=np.full(len(found), score),
        keypoints=np.dstack([points, np.full(points.shape[:2], 0.9)]),
        n_frames=n_frames,
    )


def sightings(n_frames=N_FRAMES):
    """Return (frame, person) of everybody who is there."""
    return [(f, who) for f in range(n_frames) for who in (1, 2) if (f, who) != (0, 2)]


def truth_lines(n_frames=N_FRAMES):
    """Return MOTChallenge rows; person 2 has the id 5."""
    ids = {1: 1, 2: 5}
    return [
        ",".join(map(str, (f + 1, ids[who], *corner(who, f), *SIZE, 1, -1, -1, -1)))
        for f, who in sightings(n_frames)
    ]

"""Poses in space: what is known of a scene comes out of its depth image again."""

import cv2
import numpy as np
import pytest
from depth_scene import CX, CY, FOCAL, HEIGHT, SIZE, WIDTH, moving, poses_of, render, standing

from poseflow_ros.poses import Poses
from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.spatial.depth import metres
from poseflow_ros.spatial.lens import Lens
from poseflow_ros.spatial.projection import Points, lift

LENS = Lens(FOCAL, FOCAL, CX, CY)
LEFT_WRIST, RIGHT_WRIST = 9, 10
TORSO = list(COCO_17.torso)


def lifted(poses, depth, lens=LENS, image_size=SIZE, min_keypoint_score=0.3):
    return lift(
        poses,
        depth,
        lens,
        image_size=image_size,
        skeleton=COCO_17,
        min_keypoint_score=min_keypoint_score,
    )


def with_holes(depth, share, random):
    return np.where(random.random(depth.shape) < share, np.float32(np.nan), depth)


def flat(depth_m, size=SIZE):
    return np.full(size, depth_m, np.float32)


def one_pose(keypoints=None):
    """Somebody 300 pixels tall with all keypoints in the middle of the image but these."""
    points = np.tile([[WIDTH / 2, HEIGHT / 2]], (17, 1))
    for index, point in (keypoints or {}).items():
        points[index] = point
    box = [WIDTH / 2 - 50, HEIGHT / 2 - 150, WIDTH / 2 + 50, HEIGHT / 2 + 150]
    return Poses(points[None], np.ones((1, 17)), np.array([box]), np.ones(1))


@pytest.fixture(scope="module")
def two_people():
    return [standing(-0.7, 3.0), standing(0.7, 3.0)]


@pytest.fixture(scope="module")
def scene(two_people):
    return render(two_people, wall_m=5.0)


def test_keypoints_are_where_their_rays_meet_the_person(two_people, scene):
    points = lifted(poses_of(two_people), scene)
    truth = np.array([person.seen() for person in two_people])
    assert np.linalg.norm(points.points - truth, axis=-1).max() < 0.01


def test_position_is_the_median_of_the_visible_torso(two_people, scene):
    points = lifted(poses_of(two_people), scene)
    # Shoulders and hips at x = +-0.18 and +-0.12, y = -0.42 and 0.1, 0.1 m below the surface;
    # a ray through a joint meets the surface a little nearer to the axis than the joint.
    shrunk = (3.0 - 0.1) / 3.0
    expected = [[x * shrunk, -0.16 * shrunk, 2.9] for x in (-0.7, 0.7)]
    assert points.positions == pytest.approx(np.array(expected), abs=0.02)


def test_a_thin_forearm_before_a_wall_has_the_arms_depth():
    # A body of 100 x 200 pixels at 3 m, a forearm two pixels wide at 2.8 m beside it, and the
    # wall 2 m behind. A share of 28 of 100 pixels around the wrist, at most, is the arm's.
    depth = flat(5.0)
    depth[140:340, 270:370] = 3.0
    depth[220:222, 370:440] = 2.8
    torso = {5: (290, 160), 6: (350, 160), 11: (290, 300), 12: (350, 300)}
    points = lifted(one_pose(torso | {LEFT_WRIST: (425, 221)}), depth)
    assert points.points[0, LEFT_WRIST, 2] == pytest.approx(2.8)
    assert points.points[0, 5, 2] == pytest.approx(3.0)


def test_limb_is_separated_from_a_surface_close_behind_it():
    # The background is a table half a metre behind the arm: no torso's depth rules it out.
    depth = flat(3.4)
    depth[140:340, 270:370] = 3.0
    depth[220:222, 370:440] = 2.9
    torso = {5: (290, 160), 6: (350, 160), 11: (290, 300), 12: (350, 300)}
    points = lifted(one_pose(torso | {LEFT_WRIST: (425, 221)}), depth)
    assert points.points[0, LEFT_WRIST, 2] == pytest.approx(2.9)


def test_shoulder_at_the_outline_does_not_mistake_the_wall_for_the_torso():
    depth = flat(6.0)
    depth[140:340, 270:370] = 3.0
    # Three quarters of the shoulders' and hips' patches are wall.
    torso = {5: (269, 139), 6: (370, 139), 11: (269, 340), 12: (370, 340)}
    points = lifted(one_pose(torso), depth)
    assert points.points[0, TORSO, 2] == pytest.approx(np.full(4, 3.0))


def test_slanted_surface_is_not_split():
    columns = np.arange(WIDTH, dtype=np.float32)
    depth = np.tile(3.0 + (columns - WIDTH / 2) * 0.05, (HEIGHT, 1))
    points = lifted(one_pose(), depth)
    assert points.points[0, :, 2] == pytest.approx(np.full(17, 3.0))


def test_keypoint_without_pixels_within_reach_is_unknown():
    depth = flat(3.0)
    depth[:, :100] = 4.5
    depth[:, 540:] = 1.5
    points = lifted(one_pose({LEFT_WRIST: (50, 240), RIGHT_WRIST: (590, 240)}), depth)
    known = np.isfinite(points.points[0, :, 2])
    assert known.sum() == 15
    assert not known[[LEFT_WRIST, RIGHT_WRIST]].any()


def test_without_a_torso_every_depth_is_plausible():
    scores = np.ones((1, 17))
    scores[:, TORSO] = 0.1
    pose = one_pose({LEFT_WRIST: (50, 240)})
    depth = flat(3.0)
    depth[:, :100] = 4.5
    points = lifted(Poses(pose.keypoints, scores, pose.boxes, pose.scores), depth)
    assert points.points[0, LEFT_WRIST, 2] == pytest.approx(4.5)
    assert points.points[0, 0, 2] == pytest.approx(3.0)
    assert np.isnan(points.positions).all()


def test_small_depth_step_is_one_surface():
    # A sleeve's fold of 10 cm: two of seven columns are nearer, the median is the others'.
    depth = flat(3.1)
    depth[:, 323:] = 3.0
    assert lifted(one_pose(), depth).points[0, 0, 2] == pytest.approx(3.1)


def test_single_outlier_pixel_is_not_a_limb():
    depth = flat(3.0)
    depth[240, 320] = 2.2
    assert lifted(one_pose(), depth).points[0, :, 2] == pytest.approx(np.full(17, 3.0))


def test_hand_in_front_of_the_hip_is_not_mistaken_for_the_torso():
    # An eighth of the torso's pixels are at 1.9 m, from where the body is out of reach.
    depth = flat(3.0)
    depth[270:295, 280:298] = 1.9
    torso = {5: (290, 160), 6: (350, 160), 11: (290, 300), 12: (350, 300)}
    points = lifted(one_pose(torso), depth)
    assert points.points[0, [0, 5, 6, 12], 2] == pytest.approx(np.full(4, 3.0))


@pytest.mark.parametrize("turns", range(4), ids=["left", "top", "right", "bottom"])
def test_pixels_outside_the_image_are_ignored(turns):
    # At the border half of a patch is inside: four columns, of which one is nearer.
    depth = np.full((400, 400), 3.1, np.float32)
    depth[:, 0] = 3.0
    turned = np.ascontiguousarray(np.rot90(depth, -turns))
    keypoint = [(0, 200), (199, 0), (399, 199), (200, 399)][turns]
    pose = one_pose({LEFT_WRIST: keypoint})
    points = lifted(pose, turned, image_size=(400, 400))
    assert points.points[0, LEFT_WRIST, 2] == pytest.approx(3.1)


def test_a_point_lies_on_the_ray_of_its_keypoint_not_of_its_pixel():
    points = lifted(one_pose({LEFT_WRIST: (400.4, 100.25)}), flat(3.0))
    expected = [3 * (400.4 - 319.5) / 525, 3 * (100.25 - 239.5) / 525, 3]
    assert points.points[0, LEFT_WRIST] == pytest.approx(expected)


def test_distortion_is_removed_and_z_equals_the_depth():
    coefficients = (-0.2, 0.05, 0.001, -0.001, 0.0)
    there = np.array([[[1.0, -0.6, 3.0]]])
    matrix = np.array([[FOCAL, 0, CX], [0, FOCAL, CY], [0, 0, 1]])
    pixel, _ = cv2.projectPoints(there, np.zeros(3), np.zeros(3), matrix, np.array(coefficients))
    lens = Lens(FOCAL, FOCAL, CX, CY, coefficients)
    points = lifted(one_pose({LEFT_WRIST: pixel.ravel()}), flat(3.0), lens)
    assert points.points[0, LEFT_WRIST] == pytest.approx(there[0, 0], abs=1e-5)


@pytest.mark.filterwarnings("error")
def test_a_keypoint_without_a_ray_is_unknown():
    # No ray leads farther out than 0.703 focal lengths of this lens.
    lens = Lens(400, 400, CX, CY, (-0.3, 0, 0, 0))
    points = lifted(one_pose({LEFT_WRIST: (CX + 0.75 * 400, CY)}), flat(3.0), lens)
    unknown = np.isnan(points.points).all(axis=2)[0]
    assert np.flatnonzero(unknown).tolist() == [LEFT_WRIST]
    assert (np.isnan(points.stddevs[0]) == unknown).all()


def test_holes_use_neighbouring_pixels(two_people, scene):
    random = np.random.default_rng(3)
    points = lifted(poses_of(two_people), with_holes(scene, 0.3, random))
    truth = np.array([person.seen() for person in two_people])
    assert np.linalg.norm(points.points - truth, axis=-1).max() < 0.015


def test_a_keypoint_needs_a_share_of_its_patch():
    # 300 pixels tall: a radius of 4, of which 7 x 7 pixels are looked at, and 3 are needed.
    depth = flat(np.nan)
    depth[100:140, 100:140] = 3.0
    torso = dict.fromkeys(TORSO, (120, 120))
    depth[240, 320:322] = 3.0
    assert np.isnan(lifted(one_pose(torso), depth).points[0, 0]).all()
    depth[241, 320] = 3.0
    assert lifted(one_pose(torso), depth).points[0, 0, 2] == pytest.approx(3.0)


def test_the_patch_grows_with_the_person():
    # Only a ring 6 pixels away knows its depth.
    depth = flat(np.nan)
    depth[234:247, 314:327] = 3.0
    depth[235:246, 315:326] = np.nan
    pose = one_pose(dict.fromkeys(range(17), (320, 240)))
    tall = Poses(pose.keypoints, pose.keypoint_scores, pose.boxes * 2, pose.scores)
    assert np.isnan(lifted(pose, depth).points).all()
    assert np.isfinite(lifted(tall, depth).points).all()


def test_keypoints_outside_or_with_low_score_are_unknown():
    outside = {0: (-0.6, 9), 1: (9, -0.6), 2: (WIDTH - 0.4, 9), 3: (9, HEIGHT - 0.4)}
    inside = {5: (-0.4, 9), 6: (9, -0.4), 7: (WIDTH - 0.6, 9), 8: (9, HEIGHT - 0.6)}
    odd = {9: (np.nan, 9), 10: (9, np.inf), 11: (-1e30, 1e30)}
    pose = one_pose(outside | inside | odd)
    pose.keypoint_scores[0, 12], pose.keypoint_scores[0, 13] = 0.29, 0.3
    points = lifted(pose, flat(3.0))
    unknown = [0, 1, 2, 3, 9, 10, 11, 12]
    assert np.flatnonzero(np.isnan(points.points).any(axis=2)[0]).tolist() == unknown
    assert np.flatnonzero(np.isnan(points.stddevs)[0]).tolist() == unknown


def test_millimetres_and_metres_give_equal_points(two_people, scene):
    millimetres = np.rint(scene * 1000).astype(np.uint16)
    poses = poses_of(two_people)
    from_mm = lifted(poses, metres(millimetres))
    from_m = lifted(poses, metres(millimetres.astype(np.float64) / 1000))
    assert metres(millimetres).dtype == np.float32
    np.testing.assert_allclose(from_mm.points, from_m.points, atol=1e-5)
    np.testing.assert_allclose(from_mm.stddevs, from_m.stddevs, atol=1e-5)


def test_other_depth_size_is_rejected_with_both_sizes():
    with pytest.raises(ValueError, match=r"640 x 480.*320 x 240"):
        lifted(one_pose(), flat(3.0, (240, 320)))


def test_integer_depths_are_rejected():
    with pytest.raises(ValueError, match="must be float metres, got uint16"):
        lifted(one_pose(), np.full(SIZE, 3000, np.uint16))


def test_no_people_give_empty_points():
    points = lifted(Poses.empty(17), flat(3.0))
    shapes = points.points.shape, points.stddevs.shape, points.positions.shape
    assert shapes == ((0, 17, 3), (0, 17), (0, 3))


@pytest.mark.parametrize("nothing", [np.nan, 0.0, np.inf, -1.0, -np.inf, 1e7, 3.4e38])
@pytest.mark.filterwarnings("error")
def test_all_points_are_unknown_without_depth(two_people, nothing):
    points = lifted(poses_of(two_people), flat(nothing))
    assert isinstance(points, Points)
    for values in (points.points, points.stddevs, points.positions):
        assert np.isnan(values).all()


@pytest.mark.filterwarnings("error")
def test_extremely_distant_pixels_are_ignored():
    depth = flat(3.0)
    depth[::2] = 1e38
    points = lifted(one_pose(), depth)
    assert points.points[0, :, 2] == pytest.approx(np.full(17, 3.0))
    assert points.stddevs.max() < 0.05


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("corner", [np.nan, np.inf, -1e30, 1e30])
def test_degenerate_box_affects_only_the_patch_size(corner):
    pose = one_pose()
    pose.boxes[0, 3] = corner
    assert lifted(pose, flat(3.0)).points[0, :, 2] == pytest.approx(np.full(17, 3.0))


@pytest.mark.filterwarnings("error")
def test_points_are_unknown_only_without_depth_pixels():
    """However poses and holes lie: a finite point has a known pixel in reach of its patch."""
    random = np.random.default_rng(7)
    depth = random.uniform(2.5, 3.5, SIZE).astype(np.float32)
    holes = cv2.resize(random.random((24, 32)), (WIDTH, HEIGHT), interpolation=0) < 0.6
    depth[holes] = random.choice([np.nan, 0, np.inf, -1], holes.sum())
    keypoints = random.uniform(-50, 690, (50, 17, 2))
    boxes = random.uniform(0, 480, (50, 4))
    points = lifted(Poses(keypoints, np.ones((50, 17)), boxes, np.ones(50)), depth)
    finite = np.isfinite(points.points).all(axis=-1)
    assert 100 < finite.sum() < 800
    assert (np.isfinite(points.stddevs) == finite).all()
    for x, y in keypoints[finite]:
        column, row = round(x), round(y)
        patch = ~holes[max(0, row - 6) : row + 7, max(0, column - 6) : column + 7]
        assert patch.any()


def test_stddev_follows_the_scatter_of_the_pixels():
    random = np.random.default_rng(5)
    depth = random.normal(3.0, 0.06, SIZE).astype(np.float32)
    keypoints = random.uniform(10, 470, (40, 17, 2))
    boxes = np.tile([0.0, 0.0, 100.0, 400.0], (40, 1))
    points = lifted(Poses(keypoints, np.ones((40, 17)), boxes, np.ones(40)), depth)
    # 49 pixels: sqrt(0.06**2 + pi / 2 * (0.06**2 + 0.03**2) / 49) = 0.0612.
    assert np.median(points.stddevs) == pytest.approx(0.0612, rel=0.05)


def test_stddev_decreases_with_the_number_of_pixels():
    tall, small = one_pose(), one_pose()
    small.boxes[0] = [0, 0, 10, 20]
    # Only the usual noise is left: 0.03 m * sqrt(pi / 2 / n) for 49 pixels and for 9.
    assert lifted(tall, flat(3.0)).stddevs == pytest.approx(0.03 * np.sqrt(np.pi / 2 / 49))
    assert lifted(small, flat(3.0)).stddevs == pytest.approx(0.03 * np.sqrt(np.pi / 2 / 9))


def _crowd(near_wall):
    """Return scenes of three people side by side, and where their keypoints' surfaces are.

    2.5 to 6 m away before a wall at 8 m, or all 4 m away and the wall 0.6 m behind them.
    """
    random = np.random.default_rng(11)
    wall_m, distances = (4.6, (4.0, 4.0)) if near_wall else (8.0, (2.5, 6.0))
    for _ in range(12):
        people = [
            moving(side * z * 0.4, z, random)
            for side, z in zip((-1, 0, 1), random.uniform(*distances, 3), strict=True)
        ]
        yield poses_of(people), render(people, wall_m), np.array([p.seen() for p in people])


def _plain_medians(poses, depth):
    """Return (N, K) metres: of everything around a keypoint, as is often done."""
    z = np.full(poses.keypoint_scores.shape, np.nan)
    for (i, k), (x, y) in zip(np.ndindex(z.shape), poses.keypoints.reshape(-1, 2), strict=True):
        radius = round(np.clip(0.015 * poses.heights[i], 1, 6))
        rows = slice(max(0, round(y) - radius), max(0, round(y) + radius + 1))
        patch = depth[rows, max(0, round(x) - radius) : max(0, round(x) + radius + 1)]
        z[i, k] = np.median(patch[np.isfinite(patch)]) if np.isfinite(patch).any() else np.nan
    return z


@pytest.fixture(scope="module")
def crowds():
    return {near_wall: list(_crowd(near_wall)) for near_wall in (False, True)}


_TABLE = [
    # wall near, noise of the depth, holes, keypoints off by this share of the height, and the
    # bounds of the errors' median and 95th percentile, metres
    pytest.param(False, 0.0, 0.0, 0.0, 0.003, 0.03, id="a perfect image"),
    pytest.param(False, 0.0, 0.3, 0.0, 0.003, 0.03, id="holes"),
    pytest.param(False, 0.01, 0.3, 0.0, 0.012, 0.05, id="1 % noise and holes"),
    pytest.param(False, 0.02, 0.3, 0.0, 0.02, 0.08, id="2 % noise and holes"),
    pytest.param(False, 0.05, 0.3, 0.0, 0.05, 0.17, id="5 % noise and holes"),
    pytest.param(False, 0.02, 0.3, 0.01, 0.025, 0.09, id="keypoints 1 % of the height off"),
    pytest.param(False, 0.02, 0.3, 0.02, 0.035, 0.15, id="keypoints 2 % of the height off"),
    pytest.param(True, 0.02, 0.3, 0.0, 0.02, 0.1, id="a wall 0.6 m behind"),
    pytest.param(True, 0.02, 0.3, 0.01, 0.03, 0.6, id="a wall, keypoints 1 % off"),
    pytest.param(True, 0.02, 0.3, 0.02, 0.05, 0.7, id="a wall, keypoints 2 % off"),
]


def _like_a_stereo_camera(clean, random):
    """Return (H, W) metres: outlines smeared over 3 pixels, noise of 2 % alike in 4 x 4 pixels."""
    coarse = random.normal(size=(HEIGHT // 4, WIDTH // 4))
    noise = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return (cv2.blur(clean, (3, 3)) * (1 + 0.02 * noise / noise.std())).astype(np.float32)


@pytest.mark.parametrize("near_wall", [False, True], ids=["far wall", "near wall"])
@pytest.mark.parametrize(("off", "most"), [(0.0, 0.2), (0.01, 0.3)], ids=["exact", "1 % off"])
def test_accuracy_table_with_smeared_outlines(crowds, near_wall, off, most):
    random = np.random.default_rng(13)
    images = [_like_a_stereo_camera(clean, random) for _, clean, _ in crowds[near_wall]]
    median, high, _ = _print_row(crowds[near_wall], images, 0.1, off, random, near_wall, "stereo")
    assert median < 0.06
    assert high < most


@pytest.mark.parametrize(("near_wall", "noise", "holes", "off", "middle", "most"), _TABLE)
def test_accuracy_table_with_noise(crowds, near_wall, noise, holes, off, middle, most):
    random = np.random.default_rng(13)
    images = [
        (clean * (1 + noise * random.normal(size=SIZE))).astype(np.float32)
        for _, clean, _ in crowds[near_wall]
    ]
    median, high, plain_high = _print_row(
        crowds[near_wall], images, holes, off, random, near_wall, f"{noise:.0%}"
    )
    assert median < middle
    assert high < most
    assert high < plain_high or not off


def _print_row(crowd, images, holes, off, random, near_wall, noise):
    """Print a row of docs/depth.md and return the errors' median and 95th percentiles, metres."""
    errors, known, within, plain = [], [], [], []
    for (poses, _, truth), image in zip(crowd, images, strict=True):
        shift = off * poses.heights[:, None, None] * random.normal(size=poses.keypoints.shape)
        moved = Poses(poses.keypoints + shift, poses.keypoint_scores, poses.boxes, poses.scores)
        depth = with_holes(image, holes, random)
        points = lifted(moved, depth)
        plain.append(np.abs(_plain_medians(moved, depth) - truth[..., 2]).ravel())
        error = np.abs(points.points[..., 2] - truth[..., 2])
        found = np.isfinite(points.points[..., 2])
        errors.append(error[found])
        within.append((error < 2 * points.stddevs)[found])
        known.append(found[((poses.keypoints > 0) & (poses.keypoints < SIZE[::-1])).all(-1)])
    median, high = np.percentile(np.concatenate(errors), [50, 95])
    plain_high = np.nanpercentile(np.concatenate(plain), 95)
    share, honest = np.concatenate(known).mean(), np.concatenate(within).mean()
    print(
        f"\n| {'0.6 m' if near_wall else '2 m and more'} | {noise} | {holes:.0%} | {off:.0%} "
        f"| {100 * median:.1f} cm | {100 * high:.1f} cm | {100 * plain_high:.1f} cm "
        f"| {share:.1%} | {honest:.0%} |"
    )
    assert share > 0.95
    return median, high, plain_high

"""Which regions of an image are scanned: everybody expected, everything twice a second."""

import numpy as np
import pytest

from poseflow_ros.config import MovenetConfig
from poseflow_ros.estimation.tile_schedule import TileSchedule
from poseflow_ros.estimation.tiles import Grid, grid_size
from poseflow_ros.tracking.predictions import Predictions

NOBODY = Predictions.none()


def make_grid(width=1920, height=1080, tiles="auto"):
    return Grid.of(width, height, *grid_size(tiles, width, height, 256), 256)


def make_schedule(grid=None, **config):
    return TileSchedule(grid or make_grid(), MovenetConfig(**config))


def people(boxes, first_id=1):
    boxes = np.array(boxes, float).reshape(-1, 4)
    return Predictions(np.arange(len(boxes)) + first_id, boxes)


def crowd(rng, n, width=1920, height=1080):
    """Return n people of 20 pixels up to the whole image, some partly outside it."""
    heights = np.exp(rng.uniform(np.log(20), np.log(height), n))
    x, y = rng.uniform(0, width, n), rng.uniform(0, height, n)
    half_width, half_height = 0.2 * heights, heights / 2
    return people(np.stack([x - half_width, y - half_height, x + half_width, y + half_height], 1))


def contains(regions, boxes):
    """Return (P, M), whether a region contains what the image shows of a box."""
    clipped = np.clip(boxes, 0, (1920, 1080, 1920, 1080))
    low = regions[:, None, :2] <= clipped[:, :2]
    return (low & (regions[:, None, 2:] >= clipped[:, 2:])).all(axis=2)


@pytest.mark.parametrize(
    ("size", "expected", "input_shape"),
    [
        pytest.param((1920, 1080), (4, 3), (224, 256), id="1080p"),
        pytest.param((3840, 2160), (4, 3), (224, 256), id="4K"),
        pytest.param((1080, 1920), (3, 4), (256, 224), id="upright"),
        pytest.param((768, 576), (3, 2), (256, 256), id="768 x 576"),
        pytest.param((640, 360), (2, 1), (256, 256), id="640 x 360"),
        pytest.param((320, 240), (1, 1), (192, 256), id="one tile"),
    ],
)
def test_auto_has_as_many_tiles_as_the_image_has_pixels_for(size, expected, input_shape):
    assert grid_size("auto", *size, 256) == expected
    assert make_grid(*size).input_shape == input_shape


@pytest.mark.parametrize("tiles", ["auto", "4x3", "5x4", "2x1", "1x2", "9x9"])
@pytest.mark.parametrize("size", [(1920, 1080), (641, 479), (1080, 1920)])
def test_tiles_overlap_by_a_third_and_end_with_the_image(size, tiles):
    regions = make_grid(*size, tiles).regions
    sides = regions[:, 2:] - regions[:, :2]
    assert (sides == sides[0]).all()
    assert (regions.min(axis=0)[:2] == 0).all()
    assert (regions.max(axis=0)[2:] == size).all()
    # A person of a third of a tile is complete in one of them, wherever.
    rng = np.random.default_rng(1)
    person = np.floor(sides[0].max() / 3) - 2
    start = rng.uniform(0, np.maximum(np.array(size) - person, 1), (500, 2))
    inside = (start[:, None] >= regions[:, :2]) & (start[:, None] + person <= regions[:, 2:])
    assert inside.all(axis=2).any(axis=1).all()


@pytest.mark.parametrize("seed", range(20))
def test_everybody_expected_is_complete_in_a_tile(seed):
    rng = np.random.default_rng(seed)
    schedule = make_schedule()
    for i in range(8):
        expected = crowd(rng, rng.integers(0, 40))
        plan = schedule.plan(expected, 0.04 * i)
        assert plan.scanned.all()
        assert contains(plan.regions, expected.boxes).any(axis=0).all()
        assert plan.n_left_out == 0


def test_people_who_stand_together_share_tiles_of_five():
    schedule = make_schedule()
    schedule.plan(NOBODY, 0.0)
    # Ten people where no search pass looks in the next image.
    row = [(1300 + 40 * i, 700, 1340 + 40 * i, 800) for i in range(10)]
    plan = schedule.plan(people(row), 0.04)
    tiles = plan.regions[1:]
    assert 2 <= len(tiles) <= 3
    assert plan.scanned.all()


def test_a_tile_around_one_person_shows_the_person_large():
    schedule = make_schedule(search_passes=2)
    schedule.plan(NOBODY, 0.0)
    box = np.array([1300, 500, 1400, 700])
    (tile,) = schedule.plan(people([box]), 0.04).regions[2:]
    assert contains(tile[None], box[None].astype(float)).all()
    assert 2 < (tile[2:] - tile[:2]).max() / 200 < 4


@pytest.mark.parametrize("rate_hz", [2.5, 5, 10, 25, 30])
def test_every_region_is_scanned_twice_a_second(rate_hz):
    grid, rng = make_grid(), np.random.default_rng(3)
    schedule = make_schedule(grid)
    last_s = np.zeros(len(grid.regions))
    stamps_s = np.cumsum(rng.uniform(0.9, 1.1, 200)) / rate_hz
    for stamp_s in stamps_s - stamps_s[0]:
        plan = schedule.plan(crowd(rng, 5), stamp_s)
        scanned = (grid.regions[:, None] == plan.regions[None]).all(axis=2).any(axis=1)
        last_s[scanned] = stamp_s
        assert (stamp_s - last_s).max() <= 0.5 + 0.1 / rate_hz


def test_the_first_image_is_scanned_completely():
    assert len(make_schedule().plan(NOBODY, 5.0).regions) == 13


def test_a_fast_camera_with_nobody_costs_the_search_passes():
    schedule = make_schedule(search_passes=2)
    counts = [len(schedule.plan(NOBODY, 0.02 * i).regions) for i in range(50)]
    assert set(counts[1:]) == {2}


def test_an_image_of_two_tiles_costs_one_search_pass():
    schedule = make_schedule(make_grid(640, 360), search_passes=2)
    counts = [len(schedule.plan(NOBODY, i / 30).regions) for i in range(30)]
    assert counts == [3] + [1] * 29


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_max_passes_is_never_exceeded_and_what_it_leaves_out_is_reported(limit):
    rng, schedule = np.random.default_rng(4), make_schedule(max_passes=limit)
    for i in range(30):
        expected = crowd(rng, 25)
        plan = schedule.plan(expected, 0.04 * i)
        assert len(plan.regions) == limit
        assert plan.n_left_out > 0
        # Who is not complete in a scanned region does not count as looked for.
        clipped = np.clip(expected.boxes, 0, (1920, 1080, 1920, 1080))
        in_image = (clipped[:, 2:] > clipped[:, :2]).all(axis=1)
        assert not (plan.scanned & in_image)[
            ~contains(plan.regions, expected.boxes).any(axis=0)
        ].any()


@pytest.mark.parametrize(
    ("n_affordable", "n_planned"),
    [(100, 6), (6, 6), (5.9, 5), (4.2, 4), (1, 3), (-3, 3)],
    ids=["plenty", "just enough", "part", "half", "less than half", "late already"],
)
def test_at_least_half_of_the_passes_are_planned(n_affordable, n_planned):
    schedule = make_schedule(search_passes=2)
    schedule.plan(NOBODY, 0.0)
    # Six people in four tiles, and two search passes.
    boxes = [(x, y, x + 60, y + 200) for x in (1000, 1400, 1800) for y in (500, 850)]
    plan = schedule.plan(people(boxes), 0.04, n_affordable)
    assert len(plan.regions) == n_planned
    assert plan.n_left_out == 6 - n_planned
    assert plan.scanned.all() == (n_planned == 6)


def test_affordable_passes_do_not_exceed_max_passes():
    schedule = make_schedule(max_passes=3)
    assert len(schedule.plan(NOBODY, 0.0, 9).regions) == 3


def test_with_max_passes_people_take_turns():
    schedule = make_schedule(max_passes=4)
    boxes = [(x, y, x + 60, y + 200) for x in (100, 900, 1700) for y in (100, 800)]
    scanned = [schedule.plan(people(boxes), 0.04 * i).scanned for i in range(12)]
    assert not np.all(scanned)
    for i in range(6, 12):
        assert np.any(scanned[i - 5 : i + 1], axis=0).all()


def test_the_schedule_is_a_function_of_stamps_and_predictions():
    def plans():
        rng, schedule = np.random.default_rng(5), make_schedule(max_passes=6)
        return [schedule.plan(crowd(rng, 10), 0.03 * i).regions for i in range(20)]

    for one, other in zip(plans(), plans(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_stamp_that_goes_back_makes_everything_due():
    schedule = make_schedule()
    schedule.plan(NOBODY, 100.0)
    assert len(schedule.plan(NOBODY, 3.0).regions) == 13

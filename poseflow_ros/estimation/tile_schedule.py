"""Which regions of each image of a camera are scanned."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poseflow_ros.config import MovenetConfig
from poseflow_ros.estimation.tiles import Grid
from poseflow_ros.estimation.track_tiles import covers, place_tiles, search_boxes
from poseflow_ros.poses import FloatArray, IntArray
from poseflow_ros.tracking.predictions import Predictions

_SEARCH_PERIOD_S = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is scanned of one image.

    Attributes:
        regions: (P, 4) of the passes.
        scanned: (M,) whether each expected person is looked for.
        n_left_out: how many passes `movenet.max_passes` and `movenet.keep_up` left out.
    """

    regions: IntArray
    scanned: NDArray[np.bool_]
    n_left_out: int


class TileSchedule:
    """Every image: the people who are expected; in turn: tiles and the whole image.

    Each tile is scanned at least twice a second, as far as `movenet.max_passes` and
    `movenet.keep_up` permit.
    """

    def __init__(self, grid: Grid, config: MovenetConfig) -> None:
        """Create the schedule of one camera.

        Args:
            grid: the tiles of its images.
            config: the number of passes.
        """
        self.grid = grid
        self._config = config
        self._search_regions = np.vstack([grid.image, grid.regions])
        self._scanned_s = np.full(len(self._search_regions), -math.inf)
        self._looked_for_s: dict[int, float] = {}
        self._stamp_s = -math.inf
        self._n_owed = 0.0

    def plan(
        self, predictions: Predictions, stamp_s: float, n_affordable: float = math.inf
    ) -> Plan:
        """Return what to scan of the next image.

        Args:
            predictions: the people who are expected.
            stamp_s: of the image, seconds; one before the last makes every tile due.
            n_affordable: for how many passes there is time; at least half of them are planned
                nevertheless.
        """
        if stamp_s < self._stamp_s:
            self._scanned_s[:] = -math.inf
        search = self._search(stamp_s)
        boxes = search_boxes(predictions.boxes, self.grid.image)
        in_image = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        searched = covers(self._search_regions[search], boxes, self.grid).any(axis=0)
        tiles = place_tiles(boxes[in_image & ~searched], self.grid)
        n_wanted = len(search) + len(tiles)
        limit = min(
            self._config.max_passes or math.inf, max(n_affordable, math.ceil(n_wanted / 2))
        )
        if limit < n_wanted:
            search, tiles = self._limit(int(limit), search, tiles, boxes, predictions.track_ids)
        regions = np.vstack([self._search_regions[search], tiles])
        scanned = np.any(covers(regions, boxes, self.grid), axis=0)
        scanned[~in_image] = True
        self._remember(search, predictions.track_ids, scanned, stamp_s)
        return Plan(regions, scanned, n_wanted - len(regions))

    def _search(self, stamp_s: float) -> IntArray:
        """Return the search regions whose turn it is, those not scanned for longest first."""
        interval_s = max(stamp_s - self._stamp_s, 0.0)
        n_regions = len(self._scanned_s)
        # Spread evenly over the images.
        self._n_owed += n_regions * min(interval_s / _SEARCH_PERIOD_S, 1.0)
        waiting_s = stamp_s - self._scanned_s
        n_due = int((waiting_s + interval_s > _SEARCH_PERIOD_S).sum())
        n_wanted = min(self._config.search_passes, n_regions // 2)
        n = min(n_regions, max(n_wanted, int(self._n_owed), n_due))
        self._n_owed = max(0.0, self._n_owed - n)
        return np.argsort(-waiting_s, kind="stable")[:n]

    def _limit(
        self,
        limit: int,
        search: IntArray,
        tiles: IntArray,
        boxes: FloatArray,
        track_ids: IntArray,
    ) -> tuple[IntArray, IntArray]:
        """Return at most `limit` passes: half of them at most search."""
        n_search = min(len(search), max(limit - len(tiles), (limit + 1) // 2))
        last_s = np.array([self._looked_for_s.get(i, -math.inf) for i in track_ids.tolist()])
        oldest_s = np.where(covers(tiles, boxes, self.grid), last_s, math.inf).min(
            axis=1, initial=math.inf
        )
        tiles = tiles[np.argsort(oldest_s, kind="stable")[: limit - n_search]]
        return search[:n_search], tiles

    def _remember(
        self, search: IntArray, track_ids: IntArray, scanned: NDArray[np.bool_], stamp_s: float
    ) -> None:
        self._scanned_s[search] = self._stamp_s = stamp_s
        known = {i: self._looked_for_s.get(i, -math.inf) for i in track_ids.tolist()}
        now = dict.fromkeys(track_ids[scanned].tolist(), stamp_s)
        self._looked_for_s = known | now

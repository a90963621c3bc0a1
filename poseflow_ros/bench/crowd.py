"""Simulated people who walk, run, stop, bend, sit, walk together, leave the image and return."""

from dataclasses import astuple, dataclass

import numpy as np
from scipy.spatial import cKDTree

from poseflow_ros.bench import walker
from poseflow_ros.bench.camera import Camera
from poseflow_ros.bench.walker import Posture
from poseflow_ros.poses import FloatArray, IntArray

_STEP_S = 0.05
_WARM_UP_STEPS = 400  # until the initial positions have no effect

_SPEED_M_S = (0.5, 1.25, 0.3, 1.7)  # minimum, mean, standard deviation, maximum
_MAX_SPEED_M_S = 1.8
_HEIGHT_M = (1.72, 0.08)  # mean, standard deviation
_STRIDE_M = 1.45
_AGILITY_S = 0.4  # time constant of velocity changes
_LEG_M = 10.0  # walked in one direction at most
_ARRIVED_M = 0.4

# Runners choose a goal, a speed and a duration, and choose again on arrival or after that time.
_DASH_M_S, _DASH_S = (1.5, 6.0), (0.8, 3.5)
_RUNNER_ARRIVED_M = 1.0
_RUNNER_M_S2 = 8.0  # maximum acceleration
_FORESIGHT_S = 0.3  # additional distance at which they evade others

# How long people stay bent, seated or crouched, including getting up, and how long a change takes.
_POSTURE_S = {Posture.BEND: (2.0, 5.0), Posture.SIT: (4.0, 12.0), Posture.CROUCH: (2.5, 8.0)}
_CHANGE_S = np.array([0.8, 1.0, 0.9])
_UPRIGHT = -1
_STOPPED_M_S = 0.3  # maximum speed at which people bend, sit or crouch

# Activities after arriving at a goal.
_STAND_S, _AWAY_S, _JOIN_S = (1.0, 6.0), (1.0, 17.0), (4.0, 12.0)
_BEYOND_EDGE_M = (0.8, 1.5)
_SIDE_BY_SIDE_M = 0.65
_ELBOW_ROOM_M, _ELBOW_M_S = 0.6, 1.6
_CAMERA_ROOM_M, _CAMERA_M_S = 0.8, 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Bodies:
    """N people at one time; a row is always the same person.

    Attributes:
        keypoints_m: (N, 17, 3) x right, y up, z forward from the camera's foot, COCO order.
        places_m: (N, 2) x and z on the ground.
    """

    keypoints_m: FloatArray
    places_m: FloatArray


class Crowd:
    """The simulated people of one seed.

    The simulation step is 50 ms; states in between are interpolated, so the world is the same at
    any image rate. No history is stored.
    """

    def __init__(self, camera: Camera, rng: np.random.Generator) -> None:
        n = camera.people
        self._camera, self._rng = camera, rng
        low, mean, std, high = _SPEED_M_S
        self._speeds = np.clip(rng.normal(mean, std, n), low, high)
        self._heights_m = rng.normal(*_HEIGHT_M, n)
        self._places = camera.ground(rng, n)
        self._goals = camera.ground(rng, n)
        self._velocities = np.zeros((n, 2))
        self._headings = _unit(self._goals - self._places)
        self._phases = rng.uniform(0, 2 * np.pi, n)
        self._still_s = np.zeros(n)  # remaining time of standing
        self._leaving = np.zeros(n, bool)
        self._leaders = np.full(n, -1)  # row of the person whom they follow; -1: none
        self._joined_s = np.zeros(n)  # remaining time of following
        self._runs = np.arange(n) < round(camera.scene.runners * n)
        self._dash_s = np.zeros(n)  # remaining time until runners choose a new goal
        self._fastest = np.where(self._runs, _DASH_M_S[1], _MAX_SPEED_M_S)
        self._postures = np.full(n, _UPRIGHT)
        self._lowered = np.zeros((n, len(Posture)))  # progress into each posture, in [0, 1]
        for _ in range(_WARM_UP_STEPS):
            self._step()
        self._steps = 0
        self._before = self._now = self._state()

    def at(self, stamp_s: float) -> Bodies:
        """Return the people at a time, which must not be before that of the last call."""
        while self._steps * _STEP_S < stamp_s - 1e-9:
            self._step()
            self._steps += 1
            self._before, self._now = self._now, self._state()
        part = 1.0 - (self._steps - stamp_s / _STEP_S)
        state = self._before + part * (self._now - self._before)
        places, headings, phases, speeds = state[:, :2], state[:, 2:4], state[:, 4], state[:, 5]
        points = walker.keypoints_m(
            places, _unit(headings), phases, speeds, self._heights_m, walker.eased(state[:, 6:])
        )
        return Bodies(points, places)

    def _state(self) -> FloatArray:
        """Return (N, 9), the interpolated state: position, heading, phase, speed, postures."""
        speeds = np.hypot(*self._velocities.T)
        return np.column_stack([self._places, self._headings, self._phases, speeds, self._lowered])

    def _step(self) -> None:
        self._decide()
        wanted = self._wanted() + self._elbow_room()
        upright = 1 - self._lowered.max(axis=1, keepdims=True)
        change = (wanted * upright - self._velocities) * (_STEP_S / _AGILITY_S)
        change[self._runs] = _shortened(change[self._runs], _RUNNER_M_S2 * _STEP_S)
        self._velocities = _shortened(self._velocities + change, self._fastest)
        speeds = np.hypot(*self._velocities.T)
        self._places = self._places + self._velocities * _STEP_S
        turn = np.minimum(speeds, 1)[:, None] * (_STEP_S / _AGILITY_S)
        self._headings = _unit(self._headings + turn * _unit(self._velocities))
        self._phases = self._phases + 2 * np.pi * speeds / _stride_m(speeds) * _STEP_S
        self._still_s = self._still_s - _STEP_S
        self._joined_s = self._joined_s - _STEP_S
        self._dash_s = self._dash_s - _STEP_S * (self._still_s <= 0)
        self._lower(speeds)

    def _lower(self, speeds: FloatArray) -> None:
        """Move people into their posture after they have stopped, and out of it before they go."""
        change_s = _CHANGE_S[self._postures]
        down = (self._postures != _UPRIGHT) & (speeds < _STOPPED_M_S) & (self._still_s > change_s)
        target = down[:, None] & (self._postures[:, None] == np.arange(len(Posture)))
        change = np.where(target, _STEP_S, -_STEP_S) / _CHANGE_S
        self._lowered = np.clip(self._lowered + change, 0, 1)

    def _wanted(self) -> FloatArray:
        """Return the (N, 2) velocities towards the goals."""
        following = self._leaders >= 0
        beside = self._places + _SIDE_BY_SIDE_M * self._headings[:, ::-1] * [1, -1]
        self._goals[following] = beside[self._leaders[following]]
        to_goal = self._goals - self._places
        velocities = self._speeds[:, None] * _unit(to_goal)
        catch_up = self._velocities[self._leaders] + to_goal
        velocities = np.where(following[:, None], catch_up, velocities)
        return np.where(self._still_s[:, None] > 0, 0.0, velocities)

    def _elbow_room(self) -> FloatArray:
        """Return the (N, 2) velocities that avoid other people and the camera."""
        places = self._places + self._runs[:, None] * _FORESIGHT_S * self._velocities
        near = cKDTree(places).query_pairs(_ELBOW_ROOM_M, output_type="ndarray")
        apart = places[near[:, 0]] - places[near[:, 1]]
        push = _ELBOW_M_S * (1 - np.hypot(*apart.T) / _ELBOW_ROOM_M)[:, None] * _unit(apart)
        velocities = np.zeros_like(self._places)
        np.add.at(velocities, near[:, 0], push)
        np.add.at(velocities, near[:, 1], -push)
        velocities[:, 1] += _CAMERA_M_S * np.maximum(1 - places[:, 1] / _CAMERA_ROOM_M, 0)
        return velocities

    def _decide(self) -> None:
        """Choose the next activity of people who have finished the present one."""
        arrived_m = np.where(self._runs, _RUNNER_ARRIVED_M, _ARRIVED_M)
        arrived = np.hypot(*(self._goals - self._places).T) < arrived_m
        arrived |= self._runs & (self._dash_s <= 0)
        following = self._leaders >= 0
        done = np.where(following, self._joined_s <= 0, arrived & (self._still_s <= 0))
        who = np.flatnonzero(done)
        if not len(who):
            return
        outside, inside = who[self._leaving[who]], who[~self._leaving[who]]
        self._leaders[who] = -1
        self._leaving[who] = False
        self._postures[who] = _UPRIGHT
        self._walk(who)
        self._stand(outside, _AWAY_S)
        limits = np.cumsum(astuple(self._camera.scene.choices))
        choice = np.searchsorted(limits, self._rng.random(len(inside)), side="right")
        self._stand(inside[choice == 0], _STAND_S)
        self._leave(inside[choice == 1])
        self._join(inside[choice == 2])
        for posture in Posture:
            self._take(inside[choice == 3 + posture], posture)

    def _walk(self, who: IntArray) -> None:
        """Set goals in the image."""
        way = self._camera.ground(self._rng, len(who)) - self._places[who]
        self._goals[who] = self._places[who] + _shortened(way, _LEG_M)
        runners = who[self._runs[who]]
        self._speeds[runners] = self._rng.uniform(*_DASH_M_S, len(runners))
        self._dash_s[runners] = self._rng.uniform(*_DASH_S, len(runners))

    def _stand(self, who: IntArray, range_s: tuple[float, float]) -> None:
        """Make people stand before they continue."""
        self._still_s[who] = self._rng.uniform(*range_s, len(who))

    def _take(self, who: IntArray, posture: Posture) -> None:
        """Make people bend, sit or crouch before they continue."""
        self._postures[who] = posture
        self._stand(who, _POSTURE_S[posture])

    def _leave(self, who: IntArray) -> None:
        """Set goals outside the image for people near its border; they return later."""
        x, z = self._places[who].T
        beyond = self._camera.half_width_m(z) + self._rng.uniform(*_BEYOND_EDGE_M, len(who))
        near = beyond - np.abs(x) < _LEG_M
        self._goals[who[near]] = np.stack([np.copysign(beyond, x), z], axis=1)[near]
        self._leaving[who[near]] = True
        self._dash_s[who[near]] = np.inf

    def _join(self, who: IntArray) -> None:
        """Make people walk beside the nearest person who walks alone."""
        alone = (self._leaders < 0) & (self._still_s <= 0)
        alone[self._leaders[self._leaders >= 0]] = False
        alone[who] = False
        if not alone.any():
            return
        others = np.flatnonzero(alone)
        apart = self._places[who, None] - self._places[None, others]
        self._leaders[who] = others[np.hypot(apart[..., 0], apart[..., 1]).argmin(axis=1)]
        self._joined_s[who] = self._rng.uniform(*_JOIN_S, len(who))


def _stride_m(speeds: FloatArray) -> FloatArray:
    """Return the (N,) lengths of two steps: 1.5 m of a walk, 3.4 m of a run at 6 m/s."""
    return _STRIDE_M + 0.47 * walker.running(speeds) * (speeds - _MAX_SPEED_M_S)


def _unit(vectors: FloatArray) -> FloatArray:
    """Return (N, 2) vectors of length 1; zero stays zero."""
    return vectors / np.maximum(np.hypot(*vectors.T), 1e-9)[:, None]


def _shortened(vectors: FloatArray, length: float | FloatArray) -> FloatArray:
    """Return (N, 2) vectors limited to `length`, a scalar or (N,)."""
    return vectors * np.minimum(1, length / np.maximum(np.hypot(*vectors.T), 1e-9))[:, None]

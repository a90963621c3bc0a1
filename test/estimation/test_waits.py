"""How often a call of Keypoint R-CNN waits for the device, on a simulated one."""

from collections import Counter

import numpy as np
import pytest

pytest.importorskip("torchvision", reason="torchvision does not import")

from simulated_device import DEVICE, simulated_device

from poseflow_ros.bench.library_calls import PlacedPeople, write_weights
from poseflow_ros.config import EstimatorConfig
from poseflow_ros.estimation import keypoint_rcnn
from poseflow_ros.estimation.torchvision_network import TorchvisionNetwork
from poseflow_ros.estimation.torchvision_rcnn import read_model

SIDES = {"image_min_side": 32, "image_max_side": 64, "max_people": 5, "threads": 1}


def torchvision_network(path, config, device, precision):
    return TorchvisionNetwork(read_model(path), config, device, precision)


def detectron2_network(path, config, device, precision):
    pytest.importorskip("detectron2.modeling", reason="detectron2 does not import")
    from poseflow_ros.estimation.detectron2_network import Detectron2Network, read_model

    model = read_model(config.detectron2_config, path)
    return Detectron2Network(model, config, device, precision)


NETWORKS = {"keypoint_rcnn": torchvision_network, "detectron2": detectron2_network}


@pytest.fixture(params=NETWORKS)
def estimator(request, tmp_path, monkeypatch):
    """Return a function that makes an estimator on the device in use."""
    if request.param == "detectron2":
        pytest.importorskip("detectron2.modeling", reason="detectron2 does not import")
    path = tmp_path / "weights.pth"
    monkeypatch.setattr(keypoint_rcnn, "choose_device", lambda _: DEVICE)
    monkeypatch.setattr(keypoint_rcnn, "describe", str)

    def make(people, **changes):
        config = EstimatorConfig(
            name=request.param, weights=str(path), precision="float32", cuda_graphs="false",
            **SIDES | changes,
        )  # fmt: skip
        write_weights(config, path)
        made = keypoint_rcnn.KeypointRCNN(
            config,
            lambda device, precision: NETWORKS[request.param](path, config, device, precision),
        )
        made.network = PlacedPeople(made.network, people)
        return made

    return make


def pictures(n):
    return list(np.random.default_rng(0).integers(0, 256, (n, 48, 64, 3), np.uint8))


@pytest.mark.parametrize("batch", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_a_call_waits_twice_and_copies_once_in_and_twice_out(batch, estimator):
    with simulated_device() as device:
        made = estimator(people=3)
        images = pictures(batch)
        made.estimate_batch(images)  # the first of a size makes its constants
        device.forget()
        found = made.estimate_batch(images)
        counts = Counter(device.waits), Counter(device.copies)
    assert [len(poses) for poses in found] == [3] * batch
    assert counts == ({"copy out": 2}, {"in": 1, "out": 2})
    assert made.fallbacks == 0

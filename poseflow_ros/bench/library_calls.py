"""The plain calls of Keypoint R-CNN of the libraries, for comparison.

Random weights find no people. Therefore every call searches for people as usual, and then
continues with boxes that were placed in the image.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from poseflow_ros.config import EstimatorConfig
from poseflow_ros.estimation.boxes import Size
from poseflow_ros.estimation.network_pass import Network
from poseflow_ros.estimation.padded_people import PaddedPeople
from poseflow_ros.poses import Image

# Keep the activations of untrained weights in the range of half precision: residual blocks add
# little, and the input of detectron2's first layer is in 0 to 255.
_GAINS = {"bn3.weight": 0.2, "conv3.norm.weight": 0.2, "stem.conv1.norm.weight": 1 / 64}


class LibraryCall(Protocol):
    """The network of a library and its plain call."""

    decode: Callable[[Tensor, Tensor], Any]
    """The library's function from heatmaps and boxes to keypoints."""

    def __call__(self, images: Sequence[Image]) -> None:
        """Find the people in (H, W, 3) RGB images, and wait for the result."""
        ...


def place(n: int, size: Size, device: torch.device | str = "cpu") -> Tensor:
    """Return (n, 4) boxes in rows, each a third of the image high."""
    columns = 10
    i = torch.arange(n, device=device)
    left, top = (i % columns) / columns, (i // columns % 4) * 0.2
    corners = torch.stack([left, top, left + 0.12, top + 0.33], dim=1)
    height, width = size
    return corners.clamp(max=1) * torch.tensor([width, height, width, height], device=device)


class PlacedPeople:
    """A network that searches for people, and then returns n placed people."""

    def __init__(self, network: Network, n: int) -> None:
        self._network, self._n = network, n
        self._boxes: dict[Size, Tensor] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def find_people(self, features: Any, size: Size) -> PaddedPeople:
        """Return the placed people, after searching for people."""
        return self._place(self._network.find_people(features, size), size)

    def find_people_exactly(self, features: Any, size: Size) -> PaddedPeople:
        """Return the placed people, after searching as the library does."""
        return self._place(self._network.find_people_exactly(features, size), size)

    def _place(self, people: PaddedPeople, size: Size) -> PaddedPeople:
        if size not in self._boxes:
            self._boxes[size] = place(self._n, size, people.boxes.device)
        boxes = self._boxes[size].expand(len(people.boxes), -1, -1)
        return PaddedPeople(boxes, boxes.new_ones(boxes.shape[:2]), people.settled)


def write_weights(config: EstimatorConfig, path: Path) -> None:
    """Write a file of random weights, always the same ones, for the estimator's network."""
    torch.manual_seed(0)
    if config.name == "detectron2":
        from poseflow_ros.estimation.detectron2_network import make_model

        model = make_model(config.detectron2_config)
    else:
        from torchvision.models.detection import keypointrcnn_resnet50_fpn

        model = keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None)
    state = model.state_dict()
    for name, values in state.items():
        for ending, gain in _GAINS.items():
            if name.endswith(ending):
                values.fill_(gain)
    torch.save(state, path)


class TorchvisionCall:
    """torchvision's model, float32, as its documentation calls it."""

    def __init__(self, config: EstimatorConfig, path: Path, device: torch.device, n: int) -> None:
        from torchvision.models.detection.roi_heads import heatmaps_to_keypoints

        from poseflow_ros.estimation.torchvision_rcnn import read_model

        self.decode = heatmaps_to_keypoints
        self._device = device
        self.model = read_model(path).to(device)
        self.model.transform.min_size = (config.image_min_side,)
        self.model.transform.max_size = config.image_max_side
        heads = self.model.roi_heads
        find = heads.postprocess_detections

        def find_placed(logits: Tensor, deltas: Tensor, proposals: Any, sizes: list[Size]) -> Any:
            find(logits, deltas, proposals, sizes)
            boxes = place(n, sizes[0], device)
            ones = boxes.new_ones(n)
            return [boxes] * len(sizes), [ones] * len(sizes), [ones.long()] * len(sizes)

        heads.postprocess_detections = find_placed

    def __call__(self, images: Sequence[Image]) -> None:
        """Find the people; see `LibraryCall`."""
        with torch.inference_mode():
            tensors = [
                torch.from_numpy(image).to(self._device).permute(2, 0, 1) / 255 for image in images
            ]
            for result in self.model(tensors):
                _ = {name: values.cpu() for name, values in result.items()}


class Detectron2Call:
    """detectron2's DefaultPredictor, float32, an image at a time."""

    def __init__(self, config: EstimatorConfig, path: Path, device: torch.device, n: int) -> None:
        from detectron2 import model_zoo
        from detectron2.engine import DefaultPredictor
        from detectron2.structures import Boxes, Instances
        from detectron2.structures.keypoints import heatmaps_to_keypoints

        self.decode = heatmaps_to_keypoints
        settings = model_zoo.get_config(config.detectron2_config)
        settings.MODEL.DEVICE = str(device)
        settings.MODEL.WEIGHTS = str(path)
        settings.INPUT.MIN_SIZE_TEST = config.image_min_side
        settings.INPUT.MAX_SIZE_TEST = config.image_max_side
        self._predict = DefaultPredictor(settings)
        predictor = self._predict.model.roi_heads.box_predictor
        find = predictor.inference

        def find_placed(predictions: Any, proposals: list[Any]) -> Any:
            find(predictions, proposals)
            people = []
            for proposal in proposals:
                boxes = place(n, proposal.image_size, device)
                ones = boxes.new_ones(n)
                people.append(
                    Instances(
                        proposal.image_size,
                        pred_boxes=Boxes(boxes),
                        scores=ones,
                        pred_classes=ones.long() - 1,
                    )
                )
            return people, None

        predictor.inference = find_placed

    def __call__(self, images: Sequence[Image]) -> None:
        """Find the people; see `LibraryCall`."""
        for image in images:
            self._predict(image[:, :, ::-1])["instances"].to("cpu")


def library_call(config: EstimatorConfig, path: Path, device: torch.device, n: int) -> LibraryCall:
    """Return the call of the estimator's library with the weights of a file and n people."""
    call = Detectron2Call if config.name == "detectron2" else TorchvisionCall
    return call(config, path, device, n)

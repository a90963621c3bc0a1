"""The skeletons by their number of keypoints, for networks that do not name theirs."""

from poseflow_ros.skeletons.coco17 import COCO_17
from poseflow_ros.skeletons.crowdpose14 import CROWDPOSE_14
from poseflow_ros.skeletons.halpe26 import HALPE_26
from poseflow_ros.skeletons.skeleton import Skeleton
from poseflow_ros.skeletons.wholebody133 import WHOLEBODY_133

_ALL = (CROWDPOSE_14, COCO_17, HALPE_26, WHOLEBODY_133)

SKELETONS: dict[int, Skeleton] = {skeleton.n_keypoints: skeleton for skeleton in _ALL}

"""The published weights of detectron2: their names, places and digests."""

from pathlib import Path

import pytest

from poseflow_ros.config import EstimatorConfig
from poseflow_ros.estimation.detectron2_rcnn import published, published_for

DEFAULT = EstimatorConfig().detectron2_config


def test_a_configuration_is_found_in_either_format():
    model = published_for(DEFAULT)
    assert model.title == DEFAULT
    assert published_for(DEFAULT.replace(".yaml", ".py")) == model
    assert model in published()


@pytest.mark.parametrize("config", ["/my/network.yaml", "COCO-Detection/retinanet.yaml", ""])
def test_a_configuration_without_published_weights_has_none(config):
    assert published_for(config) is None


def test_a_file_is_in_the_cache_of_iopath_below_the_path_of_its_url(monkeypatch):
    monkeypatch.setenv("FVCORE_CACHE", "/cache")
    model = published_for(DEFAULT)
    path = DEFAULT.replace(".yaml", "/137849621")
    assert model.folder == Path("/cache/detectron2") / path
    assert model.name == "model_final_a6e10b.pkl"
    assert (model.digest, model.algorithm) == ("a6e10b", "md5")
    monkeypatch.delenv("FVCORE_CACHE")
    monkeypatch.setenv("HOME", "/home/me")
    assert published_for(DEFAULT).folder == (
        Path("/home/me/.torch/iopath_cache/detectron2") / path
    )


def test_table_equals_that_of_the_model_zoo():
    model_zoo = pytest.importorskip("detectron2.model_zoo", reason="detectron2 is not installed")
    for model in published():
        assert model_zoo.get_checkpoint_url(model.title) == model.source.url

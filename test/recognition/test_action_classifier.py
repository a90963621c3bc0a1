"""Classifiers of actions: real networks in files, with outputs known from a product by hand."""

from dataclasses import replace

import numpy as np
import pytest
from made_networks import LABELS, expected_logits, write_labels, write_onnx, write_torchscript
from made_windows import make_windows

from poseflow_ros.action_config import ClassifierConfig
from poseflow_ros.actions.heatmaps import heatmaps
from poseflow_ros.actions.layouts import nctvm, nmtvc, openpose18, uniform_samples
from poseflow_ros.recognition.action_classifier import ActionClassifier
from poseflow_ros.recognition.network import ClassifierError

SHAPE = (2, 10, 17, 3)


def config_of(folder, model, **options):
    return ClassifierConfig(model=model, labels=write_labels(folder), **({"frames": 10} | options))


def softmax(logits):
    powers = np.exp(logits.astype(float))
    return powers / powers.sum(axis=1, keepdims=True)


def assert_actions(actions, scores, top=3):
    for labels, found, expected in zip(actions.labels, actions.scores, scores, strict=True):
        order = np.argsort(-expected)[:top]
        assert labels == tuple(LABELS[i] for i in order)
        np.testing.assert_allclose(found, expected[order], rtol=1e-4)


@pytest.mark.parametrize("write", [write_onnx, write_torchscript])
def test_the_scores_are_those_of_the_network(tmp_path, write):
    windows = make_windows(n=5)
    classifier = ActionClassifier(config_of(tmp_path, write(tmp_path, SHAPE)))
    logits = expected_logits(nmtvc(uniform_samples(windows.filled(), 10)))
    assert_actions(classifier.classify(windows), softmax(logits))


def test_scores_of_the_network_are_published_as_they_are(tmp_path):
    windows = make_windows(n=2)
    config = config_of(tmp_path, write_onnx(tmp_path, SHAPE), outputs="scores", top=1)
    logits = expected_logits(nmtvc(uniform_samples(windows.filled(), 10)))
    assert_actions(ActionClassifier(config).classify(windows), logits, top=1)


@pytest.mark.parametrize(("batch", "max_batch"), [(None, 3), (None, 16), (1, 16), (4, 3)])
def test_the_size_of_the_batch_does_not_change_the_scores(tmp_path, batch, max_batch):
    windows = make_windows(n=7)
    model = write_onnx(tmp_path, SHAPE, batch=batch)
    classifier = ActionClassifier(config_of(tmp_path, model, max_batch=max_batch))
    logits = expected_logits(nmtvc(uniform_samples(windows.filled(), 10)))
    assert_actions(classifier.classify(windows), softmax(logits))


def st_gcn(windows):
    return nctvm(openpose18(uniform_samples(windows.filled(), 10)), "stgcn", 1)


def posec3d(windows):
    return heatmaps(windows, n_frames=10)


@pytest.mark.parametrize(
    ("shape", "options", "tensor_of"),
    [
        (
            (3, 10, 18, 1),
            {"layout": "nctvm", "normalization": "stgcn", "keypoints": "openpose18", "people": 1},
            st_gcn,
        ),
        ((17, 10, 64, 64), {"layout": "heatmaps"}, posec3d),
    ],
    ids=["ST-GCN", "PoseC3D"],
)
def test_the_input_follows_the_parameters(tmp_path, shape, options, tensor_of):
    windows = make_windows(n=2)
    config = config_of(tmp_path, write_onnx(tmp_path, shape), **options)
    logits = expected_logits(tensor_of(windows))
    assert_actions(ActionClassifier(config).classify(windows), softmax(logits))


def test_only_the_body_of_a_larger_skeleton_is_used(tmp_path):
    windows = make_windows(n=2)
    more = replace(
        windows,
        keypoints=np.concatenate([windows.keypoints, windows.keypoints[:, :, :9] + 5], axis=2),
        scores=np.concatenate([windows.scores, windows.scores[:, :, :9]], axis=2),
        points=np.zeros((*windows.scores.shape[:2], 26, 0), np.float32),
    )
    classifier = ActionClassifier(config_of(tmp_path, write_onnx(tmp_path, SHAPE)))
    np.testing.assert_array_equal(
        classifier.classify(more).scores, classifier.classify(windows).scores
    )


def test_what_cannot_be_used_is_refused_in_one_line(tmp_path):
    model = write_onnx(tmp_path, SHAPE)
    garbage, other, text = (tmp_path / name for name in ("bad.onnx", "model.tflite", "three.txt"))
    garbage.write_bytes(b"no model")
    other.write_bytes(b"")
    text.write_text("a\nb\nc\n")
    latin = tmp_path / "latin.txt"
    latin.write_bytes(b"caf\xe9")
    base = config_of(tmp_path, model)
    for changes, words in (
        ({"model": "missing.onnx"}, "classifier.model is 'missing.onnx', which is not a file"),
        ({"model": str(garbage)}, f"classifier.model {garbage} cannot be loaded as an ONNX"),
        ({"model": str(other)}, "must end with .onnx, .pt, .pts"),
        ({"labels": ""}, "classifier.labels is '', which cannot be read"),
        ({"labels": str(latin)}, "which cannot be read"),
        ({"labels": str(text)}, "has 3 labels, must have 4, as many as classifier.model"),
        ({"frames": 11}, "does not take inputs of the shape (1, 2, 11, 17, 3)"),
        ({"layout": "heatmaps"}, "does not take inputs of the shape (1, 17, 10, 64, 64)"),
    ):
        with pytest.raises(ClassifierError) as caught:
            ActionClassifier(replace(base, **changes))
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)


def test_an_output_of_another_rank_is_refused(tmp_path):
    config = config_of(tmp_path, write_onnx(tmp_path, SHAPE, rank=3))
    with pytest.raises(ClassifierError, match=r"returns the shape \(1, 1, 4\), must be \(N, act"):
        ActionClassifier(config)


def test_a_damaged_torchscript_file_is_refused(tmp_path):
    pytest.importorskip("torch", reason="torch is not installed")
    path = tmp_path / "bad.pt"
    path.write_bytes(b"no archive")
    with pytest.raises(ClassifierError, match=r"bad\.pt: "):
        ActionClassifier(config_of(tmp_path, str(path)))

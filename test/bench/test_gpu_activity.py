"""What is read from a profile of the GPU, and the script that measures on one."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from poseflow_ros.bench.gpu_activity import gpu_activity, summarize  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


def event(name, us, on_gpu=False):
    kind = torch.autograd.DeviceType.CUDA if on_gpu else torch.autograd.DeviceType.CPU
    time_range = SimpleNamespace(elapsed_us=lambda: us)
    return SimpleNamespace(name=name, device_type=kind, time_range=time_range)


def test_kernels_count_as_busy_and_the_host_s_calls_as_launches_and_synchronizations():
    events = [
        event("aten::conv2d", 900),
        event("cudaLaunchKernel", 5),
        event("cuLaunchKernelEx", 5),
        event("cudaGraphLaunch", 9),
        event("cudaMemcpyAsync", 3),
        event("cudaStreamSynchronize", 200),
        event("ampere_sgemm", 1500, on_gpu=True),
        event("Memcpy DtoH", 500, on_gpu=True),
    ]
    assert summarize(events) == {"gpu_busy_ms": 2.0, "launches": 3, "synchronizations": 1}


def test_a_profile_of_the_cpu_has_none():
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        torch.ones(3) + 1
    assert len(profiler.events()) > 0
    assert summarize(profiler.events()) == {
        "gpu_busy_ms": 0.0, "launches": 0, "synchronizations": 0,
    }  # fmt: skip
    assert gpu_activity(torch.device("cpu"), lambda: None) == {}


# Writes a report for `bench estimator`, fails for a batch of four, and is Python otherwise.
PYTHON = """#!{python}
import json, sys
if sys.argv[1:5] != ["-m", "poseflow_ros", "bench", "estimator"]:
    import os
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
arguments = sys.argv[5:]
value = lambda name: arguments[arguments.index(name) + 1]
if value("--batch") == "4":
    sys.exit("poseflow_ros: the device has no memory")
with open(value("--report"), "w") as file:
    json.dump({{"p50_ms": 5.0, "plain_p50_ms": 20.0, "launches": 300}}, file)
"""


@pytest.mark.slow
def test_the_script_continues_after_a_failure_and_prints_one_table(tmp_path):
    python = tmp_path / "python"
    python.write_text(PYTHON.format(python=sys.executable))
    python.chmod(0o755)
    environment = os.environ | {"PYTHON": str(python), "OUT": str(tmp_path / "out")}
    result = subprocess.run(
        [ROOT / "tools" / "bench_gpu.sh", "keypoint_rcnn", "speed"],
        env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert f"torch {torch.__version__}" in result.stdout
    assert "the device has no memory" in result.stdout
    rows = [line for line in result.stdout.splitlines() if line.startswith("| ")]
    assert rows[0].startswith("| report | p50 ms | p99 ms | images/s | MiB | GPU busy ms | ")
    assert len(rows) == 1 + 5
    (float32,) = [row for row in rows if row.startswith("| keypoint_rcnn-float32 ")]
    assert float32.split(" | ")[1] == "5"
    assert float32.endswith("| 4.00 |")


@pytest.mark.slow
def test_an_unknown_part_of_the_script_is_named(tmp_path):
    result = subprocess.run(
        [ROOT / "tools" / "bench_gpu.sh", "keypoint_rcnn", "speeed"],
        env=os.environ | {"OUT": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 2
    assert "part is speeed, must be speed, device or tests" in result.stderr


NEEDED = """
import sys

class Refuse:
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {"pooch", "psutil", "rclpy", "rosbags", "trackeval"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
import poseflow_ros.bench.commands.estimator
import poseflow_ros.bench.keypoint_rcnn
import poseflow_ros.estimation.torchvision_network
"""


@pytest.mark.slow
def test_it_needs_neither_ros_nor_a_downloader():
    subprocess.run([sys.executable, "-W", "ignore", "-c", NEEDED], check=True, cwd=ROOT)

"""The job queue: replacement, turns, and generations."""

import math
import threading

import pytest

pytest.importorskip("rclpy", reason="rclpy does not import: no ROS 2 environment")

from sensor_msgs.msg import Image
from std_msgs.msg import Header

from poseflow_ros.ros.image_job import ImageJob
from poseflow_ros.ros.job_queue import JobQueue


def job(camera, name):
    return ImageJob(camera, Image(header=Header(frame_id=name)), received_s=0.0)


def put(queue, *images):
    """Put images, each "camera name"; return the name of what each replaced."""
    replaced = [queue.put(job(*image.split())) for image in images]
    return [before and before.header.frame_id for before in replaced]


def take(queue):
    _, jobs = queue.take()
    return "".join(job.header.frame_id for job in jobs)


def test_a_waiting_image_is_replaced_by_a_newer_one():
    queue = JobQueue()
    assert put(queue, "front a", "front b", "front c") == [None, "a", "b"]
    assert take(queue) == "c"


def test_cameras_take_turns_and_replace_only_their_own_images():
    queue = JobQueue()
    assert put(queue, "front b", "rear r", "side s", "front c") == [None, None, None, "b"]
    assert [take(queue) for _ in range(3)] == ["c", "r", "s"]


def test_batches_return_all_cameras_together():
    queue = JobQueue(batches=True)
    put(queue, "rear r", "front b", "rear q")
    assert take(queue) == "qb"


def test_keep_all_returns_images_in_order_and_in_turns():
    queue = JobQueue(keep_all=True)
    assert put(queue, "front b", "front c", "rear r", "rear q") == [None] * 4
    assert (queue.waiting("front"), queue.waiting("side")) == (2, 0)
    assert [take(queue) for _ in range(4)] == ["b", "r", "c", "q"]


def queue_of_arrivals(rates_hz, **options):
    """Return a queue that received two seconds of images, and took all of them."""
    queue = JobQueue(**options)
    for camera, rate_hz in rates_hz.items():
        for i in range(2 * rate_hz):
            queue.put(ImageJob(camera, Image(), received_s=5 + i / rate_hz))
            while queue.waiting(camera):
                queue.take()
    return queue


@pytest.mark.parametrize(
    ("now_s", "budget_s"), [(7.0, 0.1), (7.04, 0.06), (7.5, 0.0)], ids=["in time", "late", "over"]
)
def test_an_image_is_due_when_the_next_one_is_expected(now_s, budget_s):
    queue = queue_of_arrivals({"front": 10})
    assert queue.budget_s(ImageJob("front", Image(), 7.0), now_s) == pytest.approx(budget_s)


def test_images_of_other_cameras_that_wait_share_the_time():
    queue = queue_of_arrivals({"front": 10, "rear": 10})
    queue.put(ImageJob("rear", Image(), 7.0))
    assert queue.budget_s(ImageJob("front", Image(), 7.0), 7.0) == pytest.approx(0.05)


def test_time_is_not_limited_while_the_rate_is_unknown_or_all_images_are_kept():
    image = ImageJob("front", Image(), 7.0)
    assert queue_of_arrivals({"front": 1}).budget_s(image, 9.0) == math.inf
    assert JobQueue().budget_s(image, 9.0) == math.inf
    assert queue_of_arrivals({"front": 10}, keep_all=True).budget_s(image, 9.0) == math.inf
    queue = queue_of_arrivals({"front": 10})
    queue.clear("deactivated")
    assert queue.budget_s(image, 9.0) == math.inf


@pytest.mark.parametrize(("keep_all", "waiting"), [(False, ["c", "r"]), (True, ["b", "c", "r"])])
def test_clear_returns_waiting_images_and_starts_a_generation(keep_all, waiting):
    queue = JobQueue(keep_all=keep_all)
    put(queue, "front b", "front c", "rear r")
    before = queue.generation
    assert [job.header.frame_id for job in queue.clear("deactivated")] == waiting
    assert (queue.clear("again"), queue.reason) == ([], "again")
    assert queue.generation > before


def test_invalidate_starts_a_generation_that_includes_waiting_images():
    queue = JobQueue(keep_all=True)
    put(queue, "front a", "front b")
    first, _ = queue.take()
    queue.invalidate("reset")
    second, (waiting,) = queue.take()
    assert (waiting.header.frame_id, queue.reason) == ("b", "reset")
    assert first < second == queue.generation


def test_take_waits_for_an_image_or_close():
    queue, taken, thread_done = JobQueue(), threading.Semaphore(0), threading.Event()

    def run():
        while queue.take():
            taken.release()
        thread_done.set()

    threading.Thread(target=run, daemon=True).start()
    assert not taken.acquire(timeout=0.05)
    put(queue, "front a")
    assert taken.acquire(timeout=60)
    assert not thread_done.is_set()
    queue.close()
    assert thread_done.wait(10)


def test_closed_queue_returns_none():
    queue = JobQueue()
    put(queue, "front a")
    queue.close()
    assert queue.take() is None

"""Images as batches: a process that decodes and is killed is told in words."""

import os
import signal

import pytest

from smec.datasets.images import Image
from smec.errors import SmecError
from tests.tiny_clip import picture


def killed_elsewhere(image):
    """A transform that a process of its own does not survive."""
    from torch.utils.data import get_worker_info

    assert get_worker_info() is not None
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_is_told():
    from smec.image_batches import image_batches

    images = [Image(str(place), content=picture(place)) for place in range(4)]
    with pytest.raises(SmecError, match=r"was killed\..*`workers` or `batch_size`.*--shm-size, or set `workers: 0`"):
        list(image_batches(images, killed_elsewhere, 2, 1))


def test_a_killed_process_is_told_wherever_it_is_noticed_and_other_faults_are_left_alone():
    from smec.image_batches import lost_workers_told

    with pytest.raises(SmecError, match=r"was killed"), lost_workers_told():
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error. ")
    with pytest.raises(RuntimeError, match=r"stack expects"), lost_workers_told():
        raise RuntimeError("Caught RuntimeError in DataLoader worker process 0.\nstack expects each tensor to be equal")

import subprocess
import sys
import threading

from app.pipeline.torch_preload import import_torch_quietly

PROGRAM = """
import os, sys, threading
from app.pipeline.torch_preload import import_torch_quietly

assert "torch" not in sys.modules
before = os.getpriority(os.PRIO_PROCESS, 0) if hasattr(os, "getpriority") else 0
import_torch_quietly()
assert "torch" in sys.modules
import torch

assert float(torch.ones(3).sum()) == 3.0
assert not hasattr(os, "getpriority") or os.getpriority(os.PRIO_PROCESS, 0) == before
assert threading.active_count() == 1
"""


def test_torch_is_there_afterwards_and_nobody_else_gives_way():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_second_time_does_no_harm():
    import_torch_quietly()
    import_torch_quietly()
    assert "torch-import" not in {thread.name for thread in threading.enumerate()}

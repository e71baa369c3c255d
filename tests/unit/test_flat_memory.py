import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys, threading
from app.pipeline.flat_memory import share_memory_pools

if sys.argv[1] == "shared":
    share_memory_pools()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
gate, pools = threading.Barrier(9), set()


def work():
    # Pools other than the first lie in regions of 64 MB of their own.
    pools.add(libc.malloc(1000) >> 26)
    gate.wait()


threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
gate.wait()
for thread in threads:
    thread.join()
print(len(pools))
"""


def pools(how):
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory pools are glibc's: Linux only")
def test_threads_share_two_memory_pools():
    assert pools("shared") <= 2 < pools("own")

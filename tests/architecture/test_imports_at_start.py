"""What is imported on the way to the first window and the first live picture: none of the heavy packages."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "mediapipe", "matplotlib", "scipy", "onnx", "numba", "skimage", "pandas", "jax")
"""Each takes a quarter of a second to several seconds, and tens to hundreds of megabytes."""

AT_START = (
    "harmonizer",
    "app.cli",
    "app.cli.gui",
    "app.ui.application",
    "app.ui.main_window",
    "app.ui.preview_job",
    "app.pipeline.live.runner",
    "app.pipeline.live.analysis",
    "app.pipeline.engine_loading",
    "app.pipeline.threads",
)


def loaded_after(code):
    """The heavy packages that a fresh interpreter has loaded after this code."""
    check = f"\nimport sys\nprint(*[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code + check], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("module", AT_START)
def test_importing_it_loads_nothing_heavy(module):
    assert loaded_after(f"import {module}") == []


def test_check_sees_what_is_loaded():
    assert loaded_after("import harmonizer\nharmonizer.S2CRNet") == ["torch"]


def test_what_needs_torch_is_there_when_it_is_asked_for():
    code = (
        "import harmonizer\n"
        "assert all(getattr(harmonizer, name) for name in harmonizer.__all__)\n"
        "from harmonizer import Harmonizer, S2CRNet\n"
        "assert not hasattr(harmonizer, 'nonesuch')"
    )
    assert loaded_after(code) == ["torch"]


def test_live_analysis_with_its_engine_loads_no_torch():
    """The segmenter is left out: what it loads is another part's budget."""
    code = (
        "from app.pipeline.live.engine_loader import EngineLoader\n"
        "from app.pipeline.matching import Matcher\n"
        "from app.pipeline.threads import share_cores\n"
        "import numpy as np\n"
        "share_cores()\n"
        "failures = []\n"
        "loader = EngineLoader(failures.append)\n"
        "loader.engine('platematch-s')\n"
        "loader.close()\n"
        "picture = np.random.default_rng(1).integers(0, 256, (90, 160, 3), dtype=np.uint8)\n"
        "alpha = np.zeros((90, 160), np.uint8)\n"
        "alpha[20:80, 40:90] = 255\n"
        "matcher = Matcher(loader.engine('platematch-s'))\n"
        "table = matcher.table(picture, alpha, picture, plate_key='a', is_static=True, time_s=0.0)\n"
        "assert table.shape == (256, 3) and not failures"
    )
    assert loaded_after(code) == []

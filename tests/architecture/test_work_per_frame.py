"""The work a frame takes, held constant: passes over all its pixels, memory it asks for, and no growth."""

import gc
import tracemalloc
from collections import Counter
from fractions import Fraction
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from app.domain import cells, compiled
from app.domain.frame import Frame
from app.pipeline.analyser import ESTIMATE_EVERY_S
from app.pipeline.engine_loading import load_engine
from app.pipeline.looks import Look
from app.pipeline.matching import Matcher
from app.pipeline.plates import open_plate
from app.pipeline.stages import FrameProcessor
from tests.support.shapes import soft_alpha, textured

SIZE = (1280, 720)
FRAME_BYTES = SIZE[0] * SIZE[1] * 3
WARM_UP, MEASURED = 6, 12


class GivenCoarse:
    """A model's coarse alpha without the model: a soft shape that stays where it is."""

    coarse = True
    name = "given"

    def __init__(self):
        self._alpha = soft_alpha((144, 256), np.random.default_rng(4))

    def segment(self, frame):
        return self._alpha

    def reset(self):
        pass

    def close(self):
        pass


def frames(count):
    scene = textured(SIZE[::-1], np.random.default_rng(1))
    pictures = scene, np.roll(scene, 2, axis=1)
    return [Frame(pictures[i % 2], i, Fraction(1, 30), i) for i in range(count)]


@pytest.fixture
def processor():
    with open_plate("#305070") as plate:
        look = Look()
        matcher = Matcher(load_engine(), look.match)
        one = FrameProcessor(segmenter=GivenCoarse(), plate=plate, look=look, matcher=matcher)
        one.analyser.estimate_every_s = ESTIMATE_EVERY_S
        yield one


@pytest.fixture
def passes(monkeypatch):
    """How often each kernel ran, and how often cv2 read a whole frame of colours or wrote one."""
    counted = Counter()
    loops = compiled.kernels()

    def counting(name, function):
        def call(*args):
            counted[name] += 1
            return function(*args)

        return call

    proxies = {name: counting(name, getattr(loops, name)) for name in loops.__all__}
    resize = cv2.resize

    def counting_resize(picture, *args, **kwargs):
        counted["resize of a frame"] += picture.nbytes >= FRAME_BYTES
        return resize(picture, *args, **kwargs)

    monkeypatch.setattr(compiled, "_kernels", SimpleNamespace(**proxies, __all__=loops.__all__))
    monkeypatch.setattr(cells.cv2, "resize", counting_resize)
    return counted


def run(processor, some):
    for frame in some:
        processor.process(frame, SIZE)


def test_each_loop_runs_once_a_frame(processor, passes):
    some = frames(WARM_UP + MEASURED)
    run(processor, some[:WARM_UP])
    passes.clear()
    run(processor, some[WARM_UP:])
    for name in (
        "composite",
        "clean_edge",
        "coverage",
        "edge_matte",
        "flat_cells",
        "edge_models",
        "matte_levels",
        "edge_colours",
        "steadied",
    ):
        assert passes[name] == MEASURED, name
    # One thumbnail a frame; and, at 10 Hz, those of the match: at most its own reading of the frame.
    assert passes["resize of a frame"] <= MEASURED + MEASURED // 2


def test_a_frame_asks_for_no_more_memory_than_its_results_take(processor):
    some = frames(WARM_UP + 1)
    run(processor, some[:WARM_UP])
    gc.collect()
    tracemalloc.start()
    try:
        analysed = processor.analyser.analyse(some[-1], SIZE)
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        (rendered,) = processor.compose_all([analysed])
        composed = tracemalloc.get_traced_memory()[1] - held
    finally:
        tracemalloc.stop()
    assert rendered.composite.shape == (SIZE[1], SIZE[0], 3)
    # The foreground (1 frame), the matte (a third), and what is computed a cell (a 25th of the pixels).
    assert held <= 1.5 * FRAME_BYTES
    assert peak <= 2.2 * FRAME_BYTES
    assert composed <= 1.05 * FRAME_BYTES


def test_nothing_grows_from_frame_to_frame(processor):
    some = frames(120)
    run(processor, some[:40])
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        run(processor, some[40:])
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    # What is remembered of the last frame was made before tracing began and is traced once it is replaced.
    assert grown < 0.5 * FRAME_BYTES, grown


def test_the_curve_is_estimated_ten_times_a_second(processor, monkeypatch):
    estimates = []
    engine = processor.analyser.matcher.engine
    estimate = engine.estimate
    monkeypatch.setattr(engine, "estimate", lambda *a, **k: estimates.append(1) or estimate(*a, **k))
    run(processor, frames(60))
    assert 18 <= len(estimates) <= 21

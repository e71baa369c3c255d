import numpy as np
import pytest

from app.ui.still_engine import StillEngine
from harmonizer import CurveEngine, OnnxHarmonizer, SemanticClass


class Counting(OnnxHarmonizer):
    """The real engine, counting what is inferred."""

    embedded = estimated = 0

    def embed_plate(self, plate, alpha=None):
        self.embedded += 1
        return super().embed_plate(plate, alpha)

    def estimate(self, *pictures, **more):
        self.estimated += 1
        return super().estimate(*pictures, **more)


@pytest.fixture(scope="module")
def network():
    return Counting.load()


@pytest.fixture
def counted(network):
    network.embedded = network.estimated = 0
    return network


def picture(seed):
    return np.random.default_rng(seed).integers(0, 256, (60, 50, 3), dtype=np.uint8)


ALPHA = np.full((60, 50), 255, np.uint8)


def test_it_is_a_curve_engine_that_calls_itself_by_its_networks_names(counted):
    engine = StillEngine(counted)
    assert isinstance(engine, CurveEngine)
    assert (engine.name, engine.device, engine.runs_on, engine.thumbnail_px) == (
        counted.name,
        counted.device,
        counted.runs_on,
        counted.thumbnail_px,
    )


def test_equal_pictures_are_inferred_once_and_give_what_the_network_gives(counted):
    engine = StillEngine(counted)
    plates = [engine.embed_plate(picture(1)) for _ in range(3)]
    curves = [engine.estimate(picture(2), ALPHA, plate) for plate in plates]
    assert (counted.embedded, counted.estimated) == (1, 1)
    expected = counted.estimate(picture(2), ALPHA, counted.embed_plate(picture(1)))
    assert all(np.array_equal(curve, expected) for curve in curves)


@pytest.mark.parametrize(
    "change",
    [
        {"foreground": picture(3)},
        {"alpha": np.full((60, 50), 200, np.uint8)},
        {"plate": picture(4)},
        {"label": SemanticClass.OTHER},
        {"label": None},
        {"standing": ALPHA},
    ],
)
def test_whatever_changes_is_inferred_anew(counted, change):
    engine = StillEngine(counted)
    asked = {"foreground": picture(2), "alpha": ALPHA, "plate": picture(1)}
    for wish in (asked, asked | change):
        more = {name: value for name, value in wish.items() if name not in asked}
        engine.estimate(wish["foreground"], wish["alpha"], engine.embed_plate(wish["plate"]), **more)
    assert counted.estimated == 2


def test_plate_with_a_hole_is_another_plate(counted):
    engine = StillEngine(counted)
    whole, holed = engine.embed_plate(picture(1)), engine.embed_plate(picture(1), ALPHA // 2)
    assert counted.embedded == 2
    assert not np.array_equal(whole.vector, holed.vector)

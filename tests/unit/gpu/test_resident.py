import cv2
import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from app.domain.compositing import blend
from app.pipeline.gpu.encoder import fuse_where_possible, merged
from app.pipeline.gpu.kernels import ChosenKernel, render_by_torch
from app.pipeline.gpu.resident import HALF, DeviceNetwork, ResidentRenderer
from app.pipeline.gpu.thumbnails import area_average, average_rows_by_torch, foreground_box, region_of
from app.pipeline.matching import Matcher, coarse_box
from harmonizer import Harmonizer, torch_statistics
from harmonizer.backbone import build_backbone
from tests.unit.gpu.helpers import CPU, noise

TORCH = ChosenKernel(render_by_torch, "torch")
NETWORKS = ("platematch-s", "s2crnet-s")


@pytest.fixture(scope="module", params=NETWORKS)
def engine(request):
    return Harmonizer.load(request.param)


def smooth(seed, size):
    return cv2.resize(noise(seed, 9, 16, 3), size, interpolation=cv2.INTER_CUBIC)


def person(size):
    alpha = np.zeros((size[1], size[0]), np.uint8)
    cv2.ellipse(alpha, (size[0] // 2, size[1] // 2), (size[0] // 5, size[1] // 3), 0, 0, 360, 255, -1)
    return cv2.GaussianBlur(alpha, (0, 0), 3)


def renderer(engine, size, *, encoder_type=torch.float32):
    network = DeviceNetwork(engine.network, CPU, encoder_type=encoder_type)
    made = ResidentRenderer(network, torch.from_numpy(smooth(2, size) // 2), TORCH)
    made.frame.copy_(torch.from_numpy(smooth(1, size)))
    made.alpha.copy_(torch.from_numpy(person(size)))
    return made


class Calls(TorchDispatchMode):
    """What torch is asked for, whatever asks."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


@torch.inference_mode()
def test_the_table_is_the_matchers(engine):
    size = (640, 360)
    ours = renderer(engine, size).table().numpy().astype(int)
    matcher = Matcher(engine)
    pixels, alpha, plate = smooth(1, size), person(size), smooth(2, size) // 2
    expected = matcher.table(pixels, alpha, plate, plate_key=1, is_static=True, time_s=0.0)
    assert np.abs(expected.astype(int) - np.arange(256)[:, None]).max() > 20
    # The matcher's thumbnails are rounded to 8 bits, the device's are not.
    assert np.abs(ours - expected).max() <= 1


@torch.inference_mode()
def test_half_precision_moves_the_curve_by_less_than_half_a_level(engine):
    side = engine.thumbnail_px
    exact, rough = (DeviceNetwork(engine.network, CPU, encoder_type=kind) for kind in (torch.float32, HALF))
    for seed in range(8):
        coverage = torch.from_numpy(cv2.resize(person((640, 360)), (side, side))).float()[None, None] / 255
        hole = torch.from_numpy(person((side, side))).float()[None, None] / 255
        levels, plate = (
            torch.from_numpy(smooth(10 * seed + i, (side, side))).float().permute(2, 0, 1)[None] / 255 for i in (1, 2)
        )
        knots = [
            network.knots(
                network.embed(levels * coverage, coverage),
                network.embed(plate, torch.ones_like(coverage)),
                None,
                network.around(plate, hole),
            )
            for network in (exact, rough)
        ]
        tables = [knots_of[0].double().numpy() for knots_of in knots]
        assert 255 * np.abs(tables[0] - tables[1]).max() < 0.5


def test_the_pixels_are_the_cpus_for_that_table(engine):
    made = renderer(engine, (257, 131), encoder_type=HALF)
    with torch.inference_mode():
        table = made.table().numpy()
    expected = blend(made.frame.numpy(), smooth(2, (257, 131)) // 2, made.alpha.numpy(), table=table)
    np.testing.assert_array_equal(made.render().numpy(), expected)


def test_nobody_in_the_picture_leaves_the_plate():
    made = renderer(Harmonizer.load(), (96, 64))
    made.alpha.zero_()
    np.testing.assert_array_equal(made.render().numpy(), smooth(2, (96, 64)) // 2)


def test_nothing_on_the_way_makes_the_host_wait(engine, monkeypatch):
    """What reads a value back, has a shape by content, or copies a number of Python's to the device."""
    # As on a GPU: on a CPU numpy sorts.
    monkeypatch.setattr(torch_statistics, "_sorted", lambda values: values.sort(dim=2).values)
    made = renderer(engine, (320, 180))
    made.render()
    with Calls() as calls:
        made.render()
    assert "conv2d" in calls.names or "convolution" in calls.names
    waiting = {"_local_scalar_dense", "item", "nonzero", "masked_select", "lift_fresh", "is_nonzero"}
    assert calls.names & waiting == set()


def test_a_whole_way_repeats_itself(engine):
    made = renderer(engine, (320, 180))
    first = made.render().clone()
    made.frame.zero_()
    assert not torch.equal(made.render(), first)
    made.frame.copy_(torch.from_numpy(smooth(1, (320, 180))))
    assert torch.equal(made.render(), first)
    assert made.capture_failure == ""


@pytest.mark.parametrize("size", [(1, 1), (63, 64), (64, 64), (257, 131), (640, 360)])
@pytest.mark.parametrize("seed", range(4))
def test_the_box_is_the_matchers(size, seed):
    rng = np.random.default_rng(seed)
    alpha = np.zeros((size[1], size[0]), np.uint8)
    x, y = rng.integers(0, size[0]), rng.integers(0, size[1])
    alpha[y : y + 1 + size[1] // 3, x : x + 1 + size[0] // 2] = rng.choice([127, 128, 255])
    expected = coarse_box(alpha) or (0, 0, *size)
    found = foreground_box(torch.from_numpy(alpha)).tolist()
    assert found == list(map(float, expected))


@pytest.mark.parametrize("box", [(0, 0, 300, 200), (12, 40, 290, 200), (100, 60, 260, 190)])
def test_a_thumbnail_is_opencvs_to_a_rounding(box):
    picture, side = noise(4, 200, 300, 3), 128
    x0, y0, x1, y1 = box
    region = region_of(torch.tensor(box, dtype=torch.float32), 300, side)
    ours = area_average(torch.from_numpy(picture), region, rows=average_rows_by_torch).permute(1, 2, 0).numpy()
    expected = cv2.resize(picture[y0:y1, x0:x1].astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    assert np.abs(ours - expected).max() < 0.01


@pytest.mark.parametrize("name", ["squeezenet1_1", "vgg16"])
@torch.inference_mode()
def test_a_merged_encoder_gives_the_same_features(name):
    torch.manual_seed(1)
    encoder = build_backbone(name).eval()
    shown = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(merged(encoder)(shown), encoder(shown), rtol=1e-4, atol=1e-5)
    assert len(list(merged(encoder).children())) < len([m for m in encoder.modules() if not list(m.children())])


@torch.inference_mode()
def test_a_cpu_fuses_nothing():
    encoder, shown = merged(build_backbone("squeezenet1_1")), torch.rand(1, 3, 64, 64)
    expected = encoder(shown)
    assert not fuse_where_possible(encoder, shown)
    assert torch.equal(encoder(shown), expected)

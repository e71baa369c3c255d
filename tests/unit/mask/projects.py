"""Small mask projects for tests."""

import os
from contextlib import contextmanager
from fractions import Fraction

import numpy as np

from app.domain.mask.adjusting import Adjustment
from app.domain.mask.correction import Correction
from app.domain.mask.document import (
    AdjustedSpan,
    Clip,
    FrameEdit,
    MaskDocument,
    MatchSpan,
    MediaRef,
    Meta,
    Origin,
    Span,
)
from app.domain.mask.planes import Planes
from app.domain.settings import Settings

SIZE = (200, 130)
FAULTY_CALLS = ("open", "write", "fsync", "replace", "rename", "link")


def meta_of(**values):
    clip = Clip(MediaRef("../clip.mp4", "/nowhere/clip.mp4", "sampled-sha256:00", 5), SIZE, Fraction(1, 90_000))
    return Meta(clip, **values)


def rich_meta():
    return meta_of(
        settings=Settings().with_value("match", "strength", 0.25).with_value("", "plate", "blur:30"),
        mask=MediaRef("mask.mkv", "/nowhere/mask.mkv", "sampled-sha256:01", 7),
        adjustment=Adjustment(0.1, 0.9, -1.5, 2.25),
        adjusted_spans=(AdjustedSpan(Span(-3, None), Adjustment(grow_px=4)),),
        match_spans=(
            MatchSpan(Span(0, 90_000), strength=0.5),
            MatchSpan(Span(None, 4), knots=((0.0, 0.5, 1.0), (0.0, 0.1, 1.0), (0.0, 0.9, 1.0)), locked_pts=3),
        ),
        span=Span(3000, 600_000),
        stops={9000: "The scene changes here.", -4: "Lost: “é”"},
    )


def edit_of(seed, *, size=SIZE, **flags):
    """A correction of a few tiles, noisy so that it takes some room."""
    rng = np.random.default_rng(abs(seed))
    planes = Planes.empty(size)
    x, y = int(rng.integers(0, size[0] - 40)), int(rng.integers(0, size[1] - 40))
    weight = rng.integers(1, 256, (40, 40), dtype=np.uint8)
    planes.weight[y : y + 40, x : x + 40], planes.value[y : y + 40, x : x + 40] = weight, seed % 256
    return FrameEdit(Correction.of(planes), **flags)


def document_of(*seeds, meta=None):
    """One edited frame per seed, at pts 3000 times the seed."""
    return MaskDocument(meta or meta_of()).with_frames({3000 * seed: edit_of(seed) for seed in seeds})


def flagged_document():
    return MaskDocument(rich_meta()).with_frames(
        {
            -5: edit_of(1, is_keyframe=True),
            0: edit_of(2, is_locked=True, origin=Origin.PROPAGATED),
            7: FrameEdit(Correction(SIZE), is_keyframe=True),
            2**40: edit_of(3, is_keyframe=True, is_locked=True),
        }
    )


def files_of(folder):
    """Every file but the lock, with its contents."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "lock"
    }


@contextmanager
def nth_call_fails(monkeypatch, number, error, *, for_ever=False, names=FAULTY_CALLS):
    """The number-th call that changes the disk fails, of whatever kind; yields what counts them."""
    calls = []

    def faulty(name, real):
        def call(*args, **kwargs):
            is_reading = name == "open" and not args[1] & (os.O_WRONLY | os.O_RDWR)
            if not is_reading:
                calls.append(name)
                if len(calls) == number or (for_ever and len(calls) > number):
                    raise OSError(error, os.strerror(error))
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name in names:
            patch.setattr(os, name, faulty(name, getattr(os, name)))
        yield calls

"""How well weights undo recolourings of pictures they were not trained on."""

from __future__ import annotations

from pathlib import Path

from app.pipeline.engine_loading import load_engine
from app.pipeline.training import PICTURE_PER_THUMBNAIL, Score, compare
from harmonizer.training.pictures import Collection, Split, load_pictures, split_pictures
from harmonizer.weights import read_manifest


def bench_match(collections: tuple[Collection, ...], weights: tuple[str, ...], *, split: Split) -> list[Score]:
    """The comparison table for shipped weights (all of them when none are named) or weight files."""
    names = weights or tuple(read_manifest()[0])
    networks = {Path(name).stem: load_engine(name).network for name in names}
    side_px = round(max(n.config.thumbnail_px for n in networks.values()) * PICTURE_PER_THUMBNAIL)
    pictures = split_pictures(load_pictures(collections, side_px=side_px))[split]
    return compare(pictures, networks, split)

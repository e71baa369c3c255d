"""`composite` and `harmonize`: the same work on photographs."""

from __future__ import annotations

import argparse
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np

from app.cli.console import Console
from app.cli.looks import look_from, match_settings, match_summary, matcher_from, segmenter_from
from app.cli.paths import check_output
from app.domain.errors import ExitCode
from app.domain.frame import Frame
from app.pipeline.engine_loading import load_engine
from app.pipeline.image_saving import check_output as check_picture_output
from app.pipeline.image_saving import save_image
from app.pipeline.images import LoadedImage, load_image, load_mask
from app.pipeline.plates import open_plate
from app.pipeline.stages import FrameProcessor
from harmonizer import CurveEngine, harmonize_composite


def run(args: argparse.Namespace, console: Console) -> ExitCode:
    """Run the command `args.still` names."""
    inputs = tuple(Path(p) for p in (args.image, args.mask, getattr(args, "plate", None)) if p)
    for output in (args.output, getattr(args, "matte_out", None)):
        if output:
            check_output(Path(output), inputs=inputs, overwrite=args.overwrite)
            check_picture_output(Path(output))
    return _harmonize(args, console) if args.still == "harmonize" else _composite(args, console)


def _load(path: str, console: Console) -> LoadedImage:
    image = load_image(Path(path))
    console.tell(image.notes)
    return image


def _harmonize(args: argparse.Namespace, console: Console) -> ExitCode:
    image = _load(args.image, console)
    mask = load_mask(Path(args.mask), image.size)
    console.tell(mask.notes)
    if not mask.alpha.any():
        console.notice("the mask is empty: nothing changes")
    engine = load_engine(args.weights, device=args.device)
    settings = match_settings(args)
    pixels = image.pixels if image.pixels16 is None else image.pixels16
    result = harmonize_composite(engine, pixels, mask.alpha, strength=settings.strength, label=settings.label)
    alpha = image.alpha if image.alpha16 is None else image.alpha16
    console.tell(save_image(Path(args.output), result, alpha=alpha))
    console.say(f"{args.output}: colours matched under the mask")
    if console.is_json:
        _result(args, engine, console)
    return ExitCode.OK


def _composite(args: argparse.Namespace, console: Console) -> ExitCode:
    image = _load(args.image, console)
    look = look_from(args)
    frame = Frame(image.pixels, pts=0, time_base=Fraction(1, 25), index=0)
    segmenting = closing(segmenter_from(args, frame.size, console))
    with open_plate(args.plate, fit=args.fit) as plate, segmenting as segmenter:
        console.tell(plate.notes)
        matcher = matcher_from(args, look)
        processor = FrameProcessor(segmenter=segmenter, plate=plate, look=look, matcher=matcher)
        rendered = processor.process(frame, args.size or frame.size)
    if not rendered.has_person:
        console.notice("nobody was found in the picture: the result is the plate alone")
    console.tell(save_image(Path(args.output), rendered.composite))
    if args.matte_out:
        console.tell(save_image(Path(args.matte_out), np.repeat(rendered.alpha[..., None], 3, axis=2)))
    console.say(f"{args.output}: done")
    if console.is_json:
        _result(args, matcher.engine if matcher else None, console)
    return ExitCode.OK


def _result(args: argparse.Namespace, engine: CurveEngine | None, console: Console) -> None:
    console.result({"output": args.output, "match": match_summary(engine), "notices": console.notices})

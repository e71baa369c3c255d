"""From parsed options to the pipeline's settings; shared by render, composite and demo."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from app.cli.console import Console
from app.domain.errors import ExitCode, UserError
from app.domain.placement import Placement
from app.pipeline.engine_loading import load_engine
from app.pipeline.looks import Look
from app.pipeline.matching import Matcher, MatchSettings
from app.pipeline.matte import MatteSettings
from app.pipeline.segmentation import Segmenter
from app.pipeline.segmenter_choice import SegmenterChoice, open_segmenter
from harmonizer import CurveEngine, SemanticClass, SmoothingSettings


def look_from(args: argparse.Namespace) -> Look:
    """All settings of the picture. UserError for values out of range."""
    return Look(
        matte=_matte_settings(args),
        match=None if getattr(args, "no_match", False) else match_settings(args),
        placement=_placement(args),
        decontaminate=not getattr(args, "no_decontaminate", False),
        light_wrap=getattr(args, "light_wrap", 0.0),
    )


def match_settings(args: argparse.Namespace) -> MatchSettings:
    """Strength, class and smoothing of the colour match."""
    smoothing = SmoothingSettings()
    tau_s = getattr(args, "smoothing", None)
    if tau_s is not None:
        if tau_s < 0:
            raise UserError("--smoothing is a time in seconds, 0 or more.", code=ExitCode.USAGE)
        smoothing = replace(smoothing, tau_s=tau_s)
    return MatchSettings(strength=args.strength, label=semantic_class(args.label), smoothing=smoothing)


def semantic_class(name: str) -> SemanticClass | None:
    """The class by its option's name; None for the plain branch."""
    return None if name == "none" else SemanticClass[name.upper()]


def _matte_settings(args: argparse.Namespace) -> MatteSettings:
    settings = MatteSettings(refine_edges=not getattr(args, "no_refine", False))
    low, high = getattr(args, "threshold", None) or (settings.low, settings.high)
    settings = replace(settings, low=low, high=high)
    given = {"grow_px": getattr(args, "grow", None), "feather_px": getattr(args, "feather", None)}
    return replace(settings, **{name: value for name, value in given.items() if value is not None})


def _placement(args: argparse.Namespace) -> Placement:
    x, y = getattr(args, "offset", (0.0, 0.0))
    return Placement(scale=getattr(args, "scale", 1.0), offset_x=x, offset_y=y, mirror=getattr(args, "mirror", False))


def matcher_from(args: argparse.Namespace, look: Look) -> Matcher | None:
    """The engine behind the match, or None when nothing is to be matched. UserError (MODEL)."""
    if look.match is None:
        return None
    return Matcher(load_engine(args.weights, device=args.device), look.match)


def segmenter_from(args: argparse.Namespace, size: tuple[int, int], console: Console) -> Segmenter:
    """What finds the foreground in frames of this size. UserError when it can't be had."""
    choice = SegmenterChoice(
        mask=Path(args.mask) if args.mask else None,
        key_color=args.key,
        model=args.model,
        engine=args.engine,
    )
    return open_segmenter(choice, size, on_notice=console.notice)


def match_summary(engine: CurveEngine | None) -> dict[str, str] | None:
    """Model, device asked for and what really computed, for the result; None when nothing was matched."""
    return None if engine is None else {"model": engine.name, "device": engine.device, "runs_on": engine.runs_on}

"""From what a person set to what the pipeline takes."""

from __future__ import annotations

from dataclasses import replace

from app.domain.placement import Placement
from app.domain.settings import MatchOptions, PersonOptions, PlacementOptions, Settings
from app.pipeline.looks import Look
from app.pipeline.matching import MatchSettings
from app.pipeline.matte import MatteSettings
from app.pipeline.segmenter_choice import SegmenterChoice
from harmonizer import SemanticClass, SmoothingSettings


def look_of(settings: Settings) -> Look:
    """How the picture is made."""
    return Look(
        matte=_matte(settings.person),
        match=_match(settings.match),
        placement=_placement(settings.placement),
        decontaminate=settings.person.decontaminate,
        light_wrap=settings.person.light_wrap,
    )


def segmenter_choice_of(person: PersonOptions) -> SegmenterChoice:
    """What finds the person."""
    match person.model:
        case "key":
            return SegmenterChoice(key_color="auto")
        case "landscape" | "square":
            return SegmenterChoice(model=person.model)
        case _:
            return SegmenterChoice()


def _matte(person: PersonOptions) -> MatteSettings:
    """Threshold and softness are the middle and the width of the ramp from background to person."""
    half = person.softness / 2
    return MatteSettings(
        low=max(0.0, person.threshold - half),
        high=min(1.0, person.threshold + half),
        feather_px=person.feather_px,
        grow_px=person.grow_px,
        tau_s=person.steadiness_s,
        refine_edges=person.fine_edges,
    )


def _match(match: MatchOptions) -> MatchSettings:
    return MatchSettings(
        strength=match.strength,
        protect_skin=match.protect_skin,
        label=SemanticClass[match.subject.upper()],
        smoothing=replace(SmoothingSettings(), tau_s=match.smoothing_s),
    )


def _placement(placement: PlacementOptions) -> Placement:
    return Placement(
        scale=placement.scale,
        offset_x=placement.offset_x,
        offset_y=placement.offset_y,
        mirror=placement.mirror,
    )

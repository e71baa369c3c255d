"""Deliveries by name: what an editor, a web page or an archive asks for."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Final

from app.domain.compositing import Size
from app.domain.errors import ExitCode, UserError
from app.pipeline.offline.formats import Encoding
from app.pipeline.offline.job import Content


@dataclass(frozen=True, slots=True)
class DeliveryPreset:
    """A delivery. slug: its name on the command line. sentence: what it is for, and where it plays or doesn't.

    suffix: of the output's name, "" for a folder of pictures. max_size: (width, height) px to fit into; smaller
    results are not enlarged.
    """

    slug: str
    title: str
    sentence: str
    suffix: str
    encoding: Encoding
    content: Content = "composite"
    max_size: Size | None = None


PRESETS: Final = (
    DeliveryPreset(
        "youtube-1080p",
        "YouTube 1080p",
        "H.264 for uploading, made smaller to fit 1920 x 1080; plays everywhere.",
        ".mp4",
        Encoding("h264", depth=8, crf=18),
        max_size=(1920, 1080),
    ),
    DeliveryPreset(
        "share-mp4",
        "Share MP4",
        "H.264 of a moderate size for mail and chat; plays everywhere, not for further editing.",
        ".mp4",
        Encoding("h264", depth=8, crf=23, preset="medium"),
    ),
    DeliveryPreset(
        "hevc-10bit",
        "High quality HEVC 10-bit",
        "Smooth gradients in small files; plays on Apple devices, televisions and new computers, in few browsers.",
        ".mp4",
        Encoding("hevc", depth=10, crf=16, preset="medium"),
    ),
    DeliveryPreset(
        "prores-422-hq",
        "ProRes 422 HQ",
        "For editing in Final Cut, Premiere or Resolve; large (1.7 GB a minute of 1080p at 30 fps), not for the web.",
        ".mov",
        Encoding("prores422", depth=10),
    ),
    DeliveryPreset(
        "prores-4444-alpha",
        "ProRes 4444 alpha",
        "The person alone with straight alpha, to be laid over anything in an editor; players ignore the alpha.",
        ".mov",
        Encoding("prores4444", depth=10, alpha="straight"),
        content="foreground",
    ),
    DeliveryPreset(
        "web-transparent",
        "Web transparent",
        "The person alone, see-through on web pages (VP9); Safari and most editors show no alpha.",
        ".webm",
        Encoding("vp9", depth=8, alpha="straight", crf=18),
        content="foreground",
    ),
    DeliveryPreset(
        "archive-ffv1",
        "Archive FFV1",
        "Without any loss, checked by checksums, for keeping; plays in VLC and mpv, not in most editors.",
        ".mkv",
        Encoding("ffv1"),
    ),
    DeliveryPreset(
        "dnxhr-hq",
        "DNxHR HQ",
        "For editing in Avid Media Composer, Resolve or Premiere; large files, at least 256 x 120 px, not for the web.",
        ".mov",
        Encoding("dnxhr", depth=8),
    ),
    DeliveryPreset(
        "png-sequence",
        "PNG sequence",
        "A folder of numbered pictures without loss, for any compositing program; no sound.",
        "",
        Encoding("png"),
    ),
    DeliveryPreset(
        "png-sequence-alpha",
        "PNG sequence with alpha",
        "The person alone as numbered pictures with straight alpha, for any compositing program; no sound.",
        "",
        Encoding("png", alpha="straight"),
        content="foreground",
    ),
    DeliveryPreset(
        "exr-sequence",
        "EXR sequence (linear, premultiplied)",
        "The person alone in linear light as Nuke and Fusion expect it, 16-bit half; not for players, no sound.",
        "",
        Encoding("exr", depth=16, alpha="premultiplied"),
        content="foreground",
    ),
    DeliveryPreset(
        "preview-gif",
        "Preview GIF",
        "A small picture that moves, for chats and pages; 256 colours and no sound, not for delivery.",
        ".gif",
        Encoding("gif", depth=8),
        max_size=(480, 480),
    ),
)


def preset_named(name: str) -> DeliveryPreset:
    """Find a delivery by its slug or title, however it is capitalised. UserError (USAGE) naming what there is."""
    wanted = name.strip().casefold()
    for preset in PRESETS:
        if wanted in (preset.slug, preset.title.casefold()):
            return preset
    slugs = [preset.slug for preset in PRESETS]
    near = difflib.get_close_matches(wanted, slugs, n=1)
    guess = f"Did you mean “{near[0]}”? " if near else ""
    raise UserError(f"There is no delivery “{name}”.", f"{guess}Use one of {', '.join(slugs)}.", code=ExitCode.USAGE)

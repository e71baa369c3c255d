"""Everything a person can set, as one value: frozen, checked field by field, kept as JSON.

A `Settings` is what a preset holds, what undo steps between and what the pipeline is told. Limits and words live
beside the default (`setting_kinds`), so that files, the window and the control interface agree.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final

from app.domain.setting_kinds import Text, choice, kinds_of, number, text, toggle

VERSION: Final = 1
"""Of the JSON form; a newer file is read as far as it is understood."""


@dataclass(frozen=True, slots=True)
class CameraOptions:
    """Where frames come from and what is done to them before anything else."""

    source: str = text("", "Source", "Camera, video, picture, screen or network stream; empty is the first camera")
    size: str = choice(
        "auto",
        "Size",
        "What the camera is asked for; what it grants is shown below",
        {
            "auto": "Automatic",
            "640x480": "640 \u00d7 480",
            "1280x720": "1280 \u00d7 720",
            "1920x1080": "1920 \u00d7 1080",
        },
    )
    rate_hz: str = choice(
        "30", "Frame rate", "At most so many frames a second", {"15": "15", "24": "24", "30": "30", "60": "60"}
    )
    low_light: float = number(
        0.0, "Low-light lift", "Brightens a dark room before anything else", low=0, high=1, step=0.05, unit="%"
    )
    lock_white_balance: bool = toggle(
        False, "Lock white balance", "Keeps the camera from changing the colour of the light by itself"
    )
    keep_up: bool = toggle(
        True,
        "Keep up by itself",
        "Where this machine can't hold the frame rate, quality goes instead of frames, in this order: how often the "
        "mask is looked for, the edges, the preview's size. It comes back by itself",
    )
    analyse_every: float = number(
        1,
        "Analyse every",
        "For weak machines: the mask is carried along in between",
        low=1,
        high=6,
        step=1,
        unit="frames",
    )
    still_levels: float = number(
        0.6,
        "Still below",
        "Nothing is computed anew while the picture changes by less than this, in levels of 255; 0 always computes",
        low=0,
        high=4,
        step=0.1,
        unit="levels",
    )


@dataclass(frozen=True, slots=True)
class PersonOptions:
    """How the person is cut out."""

    model: str = choice(
        "auto",
        "Model",
        "What finds the person: a selfie model, or the colour of a screen behind them",
        {"auto": "By shape", "landscape": "Landscape", "square": "Square", "key": "Green screen"},
    )
    threshold: float = number(
        0.5,
        "Threshold",
        "How sure the model must be that something is the person",
        low=0.05,
        high=0.95,
        step=0.01,
        unit="%",
    )
    softness: float = number(
        0.6,
        "Edge softness",
        "How gradually the matte goes from person to background",
        low=0.05,
        high=1,
        step=0.05,
        unit="%",
    )
    feather_px: float = number(0.0, "Feather", "Softens the finished edge", low=0, high=20, step=0.5, unit="px")
    grow_px: float = number(
        0.0, "Grow / shrink", "Moves the edge outward, or inward when negative", low=-20, high=20, step=0.5, unit="px"
    )
    fine_edges: bool = toggle(True, "Fine edges", "Follows hair and outline in the picture; costs some time")
    decontaminate: bool = toggle(True, "Remove old background", "Takes the room's colour out of hair and edges")
    light_wrap: float = number(
        0.0, "Light wrap", "How much of the background's light spills over the edge", low=0, high=1, step=0.05, unit="%"
    )
    steadiness_s: float = number(
        0.15, "Steadiness", "Keeps a still edge from trembling", low=0, high=0.6, step=0.05, unit="s"
    )


@dataclass(frozen=True, slots=True)
class MatchOptions:
    """How the person's colours follow the plate."""

    strength: float = number(
        1.0,
        "Strength",
        "How far the person's colours move towards the background's light",
        low=0,
        high=1,
        step=0.01,
        unit="%",
    )
    smoothing_s: float = number(
        0.5, "Smoothing", "How slowly the colours follow while nothing moves", low=0, high=2, step=0.05, unit="s"
    )
    protect_skin: float = number(
        0.0,
        "Protect skin",
        "Limits how far skin may change its hue; brightness still follows",
        low=0,
        high=1,
        step=0.05,
        unit="%",
    )
    subject: str = choice(
        "person",
        "Subject",
        "What the network is told it looks at",
        {"person": "Person", "animal": "Animal", "food": "Food", "other": "Something else"},
    )
    model: str = choice(
        "platematch-s",
        "Model",
        "Which network finds the colours",
        {"platematch-s": "PlateMatch S", "s2crnet-s": "S2CRNet S"},
    )


@dataclass(frozen=True, slots=True)
class PlacementOptions:
    """Where the person stands on the plate; fractions of the picture."""

    scale: float = number(1.0, "Size", "Larger or smaller on the background", low=0.2, high=3, step=0.05, unit="%")
    offset_x: float = number(0.0, "Left / right", "Moves the person sideways", low=-1, high=1, step=0.01, unit="%")
    offset_y: float = number(
        0.0, "Up / down", "Moves the person up (negative) or down", low=-1, high=1, step=0.01, unit="%"
    )
    mirror: bool = toggle(False, "Mirror", "Flips the person left to right; the background stays")
    crop_left: float = number(
        0.0, "Crop left", "Leaves out this much of the camera's picture", low=0, high=0.45, step=0.01, unit="%"
    )
    crop_right: float = number(
        0.0, "Crop right", "Leaves out this much of the camera's picture", low=0, high=0.45, step=0.01, unit="%"
    )
    crop_top: float = number(
        0.0, "Crop top", "Leaves out this much of the camera's picture", low=0, high=0.45, step=0.01, unit="%"
    )
    crop_bottom: float = number(
        0.0, "Crop bottom", "Leaves out this much of the camera's picture", low=0, high=0.45, step=0.01, unit="%"
    )
    auto_frame: bool = toggle(False, "Auto-framing", "Keeps you in the middle and at a good size as you move")


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What is made of the picture: its size, recordings, the virtual camera, control from outside."""

    size: str = choice(
        "source",
        "Picture size",
        "Of everything that goes out",
        {
            "source": "As the camera",
            "640x480": "640 \u00d7 480",
            "1280x720": "1280 \u00d7 720",
            "1920x1080": "1920 \u00d7 1080",
        },
    )
    folder: str = text("", "Folder", "Where recordings and snapshots go; empty is the films folder")
    container: str = choice("mp4", "File", "Kind of the recorded file", {"mp4": "MP4", "mkv": "MKV", "webm": "WebM"})
    codec: str = choice(
        "h264",
        "Codec",
        "H.264 plays everywhere; the others make smaller files and cost more time. WebM takes VP9 or AV1",
        {"h264": "H.264", "hevc": "HEVC", "av1": "AV1", "vp9": "VP9"},
    )
    hardware: bool = toggle(True, "Hardware encoder", "Tries the graphics card first")
    rate_control: str = choice(
        "quality", "Rate by", "Constant quality, or a constant size", {"quality": "Quality", "bitrate": "Bitrate"}
    )
    crf: float = number(20, "Quality (CRF)", "Smaller is better and larger", low=10, high=40, step=1)
    bitrate_kbps: float = number(6000, "Bitrate", "Of the picture", low=200, high=50000, step=100, unit="kb/s")
    microphone: str = text("default", "Microphone", "Recorded with the picture; empty records no sound")
    split_min: float = number(0, "New file every", "0 keeps one file", low=0, high=120, step=1, unit="min")
    keep_original: bool = toggle(
        False, "Original and matte too", "Also records the camera's picture and the matte, for later re-work"
    )
    virtual_camera: str = text("", "Virtual camera", "Which virtual camera device is fed; empty is the first")
    control: bool = toggle(
        False, "Control from outside", "Lets programs of this machine that know the token control this one"
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it. plate: as `open_plate` takes it, or a live source."""

    plate: str = text("sunset", "Background", "What stands behind the person")
    camera: CameraOptions = field(default_factory=CameraOptions)
    person: PersonOptions = field(default_factory=PersonOptions)
    match: MatchOptions = field(default_factory=MatchOptions)
    placement: PlacementOptions = field(default_factory=PlacementOptions)
    output: OutputOptions = field(default_factory=OutputOptions)

    def with_value(self, group: str, name: str, value: Any) -> Settings:
        """The same with one setting of one group changed; group "" is the plate's own level."""
        if not group:
            return replace(self, **{name: value})
        return replace(self, **{group: replace(getattr(self, group), **{name: value})})


def size_in_words(words: str) -> tuple[int, int] | None:
    """`1280x720` as (width, height); None for the words that leave the size open ("auto", "source")."""
    width, times, height = words.partition("x")
    return (int(width), int(height)) if times else None


GROUPS: Final[dict[str, type[Any]]] = {
    "camera": CameraOptions,
    "person": PersonOptions,
    "match": MatchOptions,
    "placement": PlacementOptions,
    "output": OutputOptions,
}
"""The groups of `Settings` by field name, in the order they are shown."""


def settings_to_json(settings: Settings) -> dict[str, Any]:
    """A JSON object with all of it, and the version of its form."""
    return {"version": VERSION, **asdict(settings)}


def settings_from_json(data: object) -> tuple[Settings, tuple[str, ...]]:
    """Settings out of what a file held, and one note for every part that could not be used.

    Whatever is missing, unknown, of the wrong type or out of its limits costs itself only and keeps its default.
    """
    if not isinstance(data, dict):
        return Settings(), ("These are no settings.",)
    notes: list[str] = []
    values: dict[str, Any] = {}
    plate = data.get("plate")
    if plate is not None:
        if Text("", "").accepts(plate):
            values["plate"] = plate
        else:
            notes.append(_refused("plate", plate))
    for name, group in GROUPS.items():
        values[name] = _group_from(data.get(name), group, name, notes)
    known = {"version", *(setting.name for setting in fields(Settings))}
    notes += [f"“{name}” is unknown here and was left out." for name in sorted(map(str, data.keys() - known))]
    return Settings(**values), tuple(notes)


def _group_from(data: object, group: type[Any], name: str, notes: list[str]) -> Any:
    if data is None:
        return group()
    if not isinstance(data, dict):
        notes.append(_refused(name, data))
        return group()
    kinds, values = kinds_of(group), {}
    for key, value in data.items():
        kind = kinds.get(key)
        if kind is None:
            notes.append(f"“{name}.{key}” is unknown here and was left out.")
        elif kind.accepts(value):
            values[key] = value
        else:
            notes.append(_refused(f"{name}.{key}", value))
    return group(**values)


def _refused(name: str, value: object) -> str:
    shown = repr(value)
    return f"“{name}” can't be {shown if len(shown) <= 40 else shown[:37] + '...'}; its default is used."

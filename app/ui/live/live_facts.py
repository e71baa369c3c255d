"""What can be said of how the live picture runs: each fact in a few words, and explained in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from app.domain.governor import LEVELS
from app.ui.text import tr

_UNKNOWN: Final = "\u2013"

_SOME_DROPS, _MANY_DROPS = 0.01, 0.05
_ENOUGH_FRAMES = 100  # of fewer, one lost frame is a share that says nothing
_SLOW, _VERY_SLOW = 0.95, 0.80
_LITTLE_DISK_BYTES, _NO_DISK_BYTES = 5_000_000_000, 1_000_000_000


@dataclass(frozen=True)
class LiveFacts:
    """How the live pipeline runs at one moment.

    fps: shown in the last second or so, of target_fps. Latencies: capture to display; None until known. drops: frames
    lost by cause, in words; frames: all that came so far, the lost ones among them. compute: "CPU, 2 threads".
    skipped_share: 0..1 of the frames whose analysis was spared. source_text: what the
    camera granted; empty without one. recording_s, disk_left_bytes: None while nothing is recorded, or nobody knows.
    level, reduced: how far quality is reduced to hold the rate, and everything that is, in words.
    virtual_camera: "off", "on: <device>", "waiting" or "failed".
    """

    fps: float = 0.0
    target_fps: float = 30.0
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    drops: Mapping[str, int] = field(default_factory=dict)
    frames: int = 0
    compute: str = ""
    skipped_share: float = 0.0
    source_text: str = ""
    recording_s: float | None = None
    recording_paused: bool = False
    disk_left_bytes: int | None = None
    level: int = 0
    reduced: tuple[str, ...] = ()
    virtual_camera: str = "off"

    @property
    def dropped_share(self) -> float:
        """How many of the frames were lost, 0..1."""
        return sum(self.drops.values()) / self.frames if self.frames else 0.0


class Tone(Enum):
    """How a fact is to be taken."""

    CALM = "calm"
    WARNING = "warning"
    ALARM = "alarm"


@dataclass(frozen=True)
class Fact:
    """What one place of the line shows. explanation: a sentence for who points at it. icon_name: "" for none."""

    text: str
    explanation: str
    tone: Tone = Tone.CALM
    icon_name: str = ""


def rate_fact(facts: LiveFacts) -> Fact:
    """Frames a second, shown and wanted."""
    share = facts.fps / facts.target_fps if facts.target_fps and facts.frames else 1.0
    tone = Tone.ALARM if share < _VERY_SLOW else Tone.WARNING if share < _SLOW else Tone.CALM
    shown = f"{facts.fps:.1f}" if facts.frames else _UNKNOWN
    text = f"{shown} / {facts.target_fps:.0f} {tr('fps')}"
    return Fact(text, tr("Frames shown in a second, and how many there should be."), tone)


def latency_fact(facts: LiveFacts) -> Fact:
    """From the camera to the screen."""
    words = tr(
        "From the camera to the screen: half of the frames are faster than the first time, 95 of 100 than the second."
    )
    if facts.latency_p50_ms is None or facts.latency_p95_ms is None:
        return Fact(f"{_UNKNOWN} / {_UNKNOWN} {tr('ms')}", words)
    return Fact(f"{facts.latency_p50_ms:.0f} / {facts.latency_p95_ms:.0f} {tr('ms')}", words)


def drops_fact(facts: LiveFacts) -> Fact:
    """What was left out."""
    count, share = sum(facts.drops.values()), facts.dropped_share
    tone = Tone.ALARM if share > _MANY_DROPS else Tone.WARNING if share > _SOME_DROPS else Tone.CALM
    tone = tone if facts.frames >= _ENOUGH_FRAMES else Tone.CALM
    causes = [f"{cause}: {lost}" for cause, lost in facts.drops.items() if lost]
    words = "\n".join([tr("Frames that were left out because a newer one came first, by cause."), *causes])
    percent = f" ({100 * share:.1f} %)" if count else ""
    return Fact(f"{count} {tr('dropped')}{percent}", words, tone)


def reduced_fact(facts: LiveFacts) -> Fact:
    """What is done with less so that the rate is held; nothing while all is done."""
    if not facts.reduced:
        return Fact("", "")
    words = [tr("This machine can't hold the frame rate with everything on, so these go before any frame does:")]
    words += [f"\u2022 {tr(what)}" for what in facts.reduced]
    following = LEVELS[min(facts.level + 1, len(LEVELS) - 1)].words[-1]
    if following != facts.reduced[-1]:
        words.append(tr("If that is not enough, next: {what}.").format(what=tr(following)))
    words.append(tr("It comes back by itself when there is time for it (Camera page, “Keep up by itself”)."))
    return Fact(f"{tr('Quality reduced')}: {tr(facts.reduced[-1])}", "\n".join(words), Tone.WARNING)


def skipped_fact(facts: LiveFacts) -> Fact:
    """What was spared."""
    words = tr("How much of the analysis was spared: the picture stood still, or the mask was carried along.")
    return Fact(f"{100 * facts.skipped_share:.0f} % {tr('spared')}", words)


def compute_fact(facts: LiveFacts) -> Fact:
    """What it takes of the machine."""
    return Fact(facts.compute, tr("What the networks run on."))


def source_fact(facts: LiveFacts) -> Fact:
    """What the camera granted."""
    if not facts.source_text:
        return Fact("", "")
    return Fact(facts.source_text, tr("What the camera granted, whatever it was asked for."), icon_name="camera")


def recording_fact(facts: LiveFacts) -> Fact:
    """How long the recording is."""
    if facts.recording_s is None:
        return Fact("", "")
    minutes, seconds = divmod(int(facts.recording_s), 60)
    clock = f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}" if minutes >= 60 else f"{minutes}:{seconds:02d}"
    if facts.recording_paused:
        return Fact(f"{clock} {tr('paused')}", tr("The recording waits; its file is kept open."), icon_name="pause")
    return Fact(clock, tr("The recording's length so far."), icon_name="record")


def disk_fact(facts: LiveFacts) -> Fact:
    """Room for recordings."""
    left = facts.disk_left_bytes
    if left is None:
        return Fact("", "")
    tone = Tone.ALARM if left < _NO_DISK_BYTES else Tone.WARNING if left < _LITTLE_DISK_BYTES else Tone.CALM
    return Fact(f"{size_words(left)} {tr('free')}", tr("Room left on the disk that recordings go to."), tone)


def virtual_camera_fact(facts: LiveFacts) -> Fact:
    """Whether other programs see the picture."""
    state, _, device = facts.virtual_camera.partition(": ")
    name = tr("Virtual camera")
    words, explanation, tone = {
        "on": (device or f"{name} {tr('on')}", tr("Other programs see this picture as a camera."), Tone.CALM),
        "waiting": (f"{name} {tr('waits')}", tr("The virtual camera is being opened."), Tone.WARNING),
        "failed": (f"{name} {tr('failed')}", tr("The virtual camera takes no pictures; start it again."), Tone.ALARM),
    }.get(state, (f"{name} {tr('off')}", tr("No other program gets this picture as a camera."), Tone.CALM))
    return Fact(words, explanation, tone, icon_name="virtual-camera")


def size_words(size_bytes: int) -> str:
    """A size as people read it, in decimal units: "41 GB", "5.2 GB", "980 MB"."""
    if size_bytes >= 10_000_000_000:
        return f"{size_bytes / 1e9:.0f} GB"
    if size_bytes >= 1_000_000_000:
        return f"{size_bytes / 1e9:.1f} GB"
    return f"{size_bytes / 1e6:.0f} MB"

"""The line along the bottom of the live window: how it runs, at a glance, each fact explained when pointed at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from PyQt6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QHelpEvent, QPainter, QPaintEvent, QPalette, QResizeEvent
from PyQt6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.ui.resources import icon
from app.ui.text import tr
from app.ui.theme import color

HEIGHT_PX: Final = 28
_EDGE_PX: Final = 14
_GAP_PX: Final = 22
_ICON_PX: Final = 14
_ICON_GAP_PX: Final = 6

_ROUNDING_PX: Final = 2  # what is painted can be a pixel wider than what was measured
_LEAST_SOURCE_PX: Final = 110
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
    skipped_share: 0..1 of the frames whose analysis was spared, since the picture stood still. source_text: what the
    camera granted; empty without one. recording_s, disk_left_bytes: None while nothing is recorded, or nobody knows.
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


_INKS: Final = {
    Tone.WARNING: {"dark": QColor("#f5c04f"), "light": QColor("#8f5b00")},
    Tone.ALARM: {"dark": QColor("#ff8a80"), "light": QColor("#b3261e")},
}


@dataclass(frozen=True)
class Fact:
    """What one place of the line shows. explanation: a sentence for who points at it. icon_name: "" for none."""

    text: str
    explanation: str
    tone: Tone = Tone.CALM
    icon_name: str = ""


@dataclass(frozen=True)
class _Place:
    """A place: what it shows, how wide that can get, when it gives way (the highest rank first, trouble last)."""

    make: Callable[[LiveFacts], Fact]
    widest: str
    rank: int


class StatusLine(QWidget):
    """One row of facts. Places keep their width while numbers change; where it gets narrow the least important go."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("transport")  # dressed like the line under the picture
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(HEIGHT_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(tr("Status"))
        self._facts: list[Fact] = []
        self._areas: list[QRect] = []
        self.show_facts(LiveFacts())

    @property
    def shown(self) -> tuple[str, ...]:
        """The words on the line, from left to right; those without room left out."""
        return tuple(fact.text for fact, area in zip(self._facts, self._areas, strict=True) if not area.isEmpty())

    def explanation_at(self, position: QPoint) -> str:
        """What is said to who points there: about the fact shown, or else all for which there is no room."""
        placed = list(zip(self._facts, self._areas, strict=True))
        here = [f"{fact.text}\n{fact.explanation}" for fact, area in placed if area.contains(position)]
        return here[0] if here else "\n".join(fact.text for fact, area in placed if fact.text and area.isEmpty())

    def show_facts(self, facts: LiveFacts) -> None:
        """Show how it runs now."""
        made = [place.make(facts) for place in _PLACES]
        if made != self._facts:
            self._facts = made
            self._lay_out()
            self.setAccessibleDescription(". ".join(fact.text for fact in made if fact.text))
            self.update()

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """It gives way to anything."""
        return QSize(200, HEIGHT_PX)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Find out who has room."""
        super().resizeEvent(event)
        self._lay_out()

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Measure again with another font."""
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._lay_out()

    def event(self, event: QEvent | None) -> bool:
        """Explain the fact that is pointed at."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self.explanation_at(event.pos()), self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Paint the facts that have room."""
        super().paintEvent(event)
        painter = QPainter(self)
        for fact, area in zip(self._facts, self._areas, strict=True):
            if not area.isEmpty():
                _paint_fact(painter, fact, area)

    def _lay_out(self) -> None:
        """Give the places their widths, the outputs at the right; the source is cut short before it goes."""
        self.ensurePolished()  # the theme's font is not known before
        widths = [self._width(fact, place) for fact, place in zip(self._facts, _PLACES, strict=True)]
        for index in sorted(
            range(len(_PLACES)), key=lambda i: (self._facts[i].tone is not Tone.CALM, -_PLACES[i].rank)
        ):
            if self._spare(widths) >= 0:
                break
            widths[index] = 0
        spare = self._spare(widths)
        if not widths[_SOURCE] and self._facts[_SOURCE].text and spare - _GAP_PX >= _LEAST_SOURCE_PX:
            widths[_SOURCE] = spare - _GAP_PX
            spare = 0
        self._areas, left = [], _EDGE_PX
        for index, width in enumerate(widths):
            left += max(0, spare) if index == _FIRST_AT_RIGHT else 0
            self._areas.append(QRect(left, 1, width, self.height() - 1))
            left += width + _GAP_PX if width else 0

    def _spare(self, widths: list[int]) -> int:
        """Return what is left over of the line, in px; negative when there is too little room."""
        return self.width() - 2 * _EDGE_PX + _GAP_PX - sum(width + _GAP_PX for width in widths if width)

    def _width(self, fact: Fact, place: _Place) -> int:
        if not fact.text:
            return 0
        metrics = self.fontMetrics()
        words = max(metrics.horizontalAdvance(fact.text), metrics.horizontalAdvance(tr(place.widest)))
        return words + _ROUNDING_PX + (_ICON_PX + _ICON_GAP_PX if fact.icon_name else 0)


def _paint_fact(painter: QPainter, fact: Fact, area: QRect) -> None:
    if fact.icon_name:
        place = QRect(area.left(), area.center().y() - _ICON_PX // 2 + 1, _ICON_PX, _ICON_PX)
        icon(fact.icon_name, ink=QPalette.ColorRole.PlaceholderText).paint(painter, place)
        area = area.adjusted(_ICON_PX + _ICON_GAP_PX, 0, 0, 0)
    painter.setPen(_ink(fact.tone))
    text = painter.fontMetrics().elidedText(fact.text, Qt.TextElideMode.ElideRight, area.width())
    painter.drawText(QRectF(area), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)


def _ink(tone: Tone) -> QColor:
    if tone is Tone.CALM:
        return color(QPalette.ColorRole.PlaceholderText)
    return _INKS[tone]["dark" if color(QPalette.ColorRole.Base).lightness() < 128 else "light"]


def _rate(facts: LiveFacts) -> Fact:
    share = facts.fps / facts.target_fps if facts.target_fps and facts.frames else 1.0
    tone = Tone.ALARM if share < _VERY_SLOW else Tone.WARNING if share < _SLOW else Tone.CALM
    shown = f"{facts.fps:.1f}" if facts.frames else _UNKNOWN
    text = f"{shown} / {facts.target_fps:.0f} {tr('fps')}"
    return Fact(text, tr("Frames shown in a second, and how many there should be."), tone)


def _latency(facts: LiveFacts) -> Fact:
    words = tr(
        "From the camera to the screen: half of the frames are faster than the first time, 95 of 100 than the second."
    )
    if facts.latency_p50_ms is None or facts.latency_p95_ms is None:
        return Fact(f"{_UNKNOWN} / {_UNKNOWN} {tr('ms')}", words)
    return Fact(f"{facts.latency_p50_ms:.0f} / {facts.latency_p95_ms:.0f} {tr('ms')}", words)


def _drops(facts: LiveFacts) -> Fact:
    count, share = sum(facts.drops.values()), facts.dropped_share
    tone = Tone.ALARM if share > _MANY_DROPS else Tone.WARNING if share > _SOME_DROPS else Tone.CALM
    tone = tone if facts.frames >= _ENOUGH_FRAMES else Tone.CALM
    causes = [f"{cause}: {lost}" for cause, lost in facts.drops.items() if lost]
    words = "\n".join([tr("Frames that were left out because a newer one came first, by cause."), *causes])
    percent = f" ({100 * share:.1f} %)" if count else ""
    return Fact(f"{count} {tr('dropped')}{percent}", words, tone)


def _skipped(facts: LiveFacts) -> Fact:
    words = tr("How much of the analysis was spared because the picture stood still.")
    return Fact(f"{100 * facts.skipped_share:.0f} % {tr('still')}", words)


def _compute(facts: LiveFacts) -> Fact:
    return Fact(facts.compute, tr("What the networks run on."))


def _source(facts: LiveFacts) -> Fact:
    if not facts.source_text:
        return Fact("", "")
    return Fact(facts.source_text, tr("What the camera granted, whatever it was asked for."), icon_name="camera")


def _recording(facts: LiveFacts) -> Fact:
    if facts.recording_s is None:
        return Fact("", "")
    minutes, seconds = divmod(int(facts.recording_s), 60)
    clock = f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}" if minutes >= 60 else f"{minutes}:{seconds:02d}"
    if facts.recording_paused:
        return Fact(f"{clock} {tr('paused')}", tr("The recording waits; its file is kept open."), icon_name="pause")
    return Fact(clock, tr("The recording's length so far."), icon_name="record")


def _disk(facts: LiveFacts) -> Fact:
    left = facts.disk_left_bytes
    if left is None:
        return Fact("", "")
    tone = Tone.ALARM if left < _NO_DISK_BYTES else Tone.WARNING if left < _LITTLE_DISK_BYTES else Tone.CALM
    return Fact(f"{size_words(left)} {tr('free')}", tr("Room left on the disk that recordings go to."), tone)


def _virtual_camera(facts: LiveFacts) -> Fact:
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


_PLACES: Final = (
    _Place(_rate, "00.0 / 00 fps", 0),
    _Place(_latency, "000 / 000 ms", 2),
    _Place(_drops, "000 dropped (0.0 %)", 1),
    _Place(_skipped, "000 % still", 8),
    _Place(_compute, "", 7),
    _Place(_source, "", 6),
    _Place(_recording, "00:00", 3),
    _Place(_disk, "00.0 GB free", 4),
    _Place(_virtual_camera, "", 5),
)
_SOURCE: Final = 5
_FIRST_AT_RIGHT: Final = 6
"""Indices into `_PLACES`: the camera, and the first of the outputs."""

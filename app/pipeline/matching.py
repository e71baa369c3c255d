"""The colour match over time: engine, plate cache and smoothing behind one call a frame."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final

from app.domain.cells import shrink
from app.domain.compositing import Table
from app.domain.frame import Alpha8, Pixels
from app.domain.skin import Colour, protect_skin, skin_colour
from harmonizer import (
    CurveEngine,
    KnotSmoother,
    PlateEmbedding,
    SemanticClass,
    SmoothingSettings,
    foreground_box,
)
from harmonizer.curves import MIN_LUT_ENTRIES, Knots, Lut, fold, lut8
from harmonizer.smoothing import ema_step

MOVING_PLATE_REFRESH_S: Final = 0.2
"""A moving plate is embedded again this often: half the encoder's work saved, and curves are smoothed anyway."""

_BOX_STEP: Final = 4

_SKIN_TAU_S: Final = 0.5
"""How slowly the skin's colour is followed: it changes with the light, not with the head's position."""


@dataclass(frozen=True)
class MatchSettings:
    """strength: 0 leaves colours alone, 1 takes the whole curve. label: what the foreground is.

    protect_skin: 0..1, how little the hue of skin may change (`app.domain.skin`).
    """

    strength: float = 1.0
    protect_skin: float = 0.0
    label: SemanticClass | None = SemanticClass.PERSON
    smoothing: SmoothingSettings = field(default_factory=SmoothingSettings)


@dataclass(frozen=True)
class MatchKey:
    """What was set by hand for one moment. strength: instead of the settings'; knots: instead of the curve found."""

    strength: float | None = None
    knots: Knots | None = None


class Matcher:
    """One engine following one stream of frames; not thread-safe. `settings` may be changed between frames.

    While `frozen`, the curve shown last stays, whatever happens in the picture. key_at: what was set by hand for a time
    in seconds, None for nothing; the curve is followed all the same, so that it goes on smoothly afterwards.
    """

    key_at: Callable[[float], MatchKey | None] | None = None

    def __init__(self, engine: CurveEngine, settings: MatchSettings = MatchSettings()) -> None:
        self.engine = engine
        self.frozen = False
        self._settings = settings
        self._smoother = KnotSmoother(settings.smoothing)
        self._plate: tuple[Hashable, float, PlateEmbedding] | None = None
        self._estimate: Knots | None = None
        self._shown: Knots | None = None
        self._skin: tuple[float, Colour] | None = None

    @property
    def settings(self) -> MatchSettings:
        """How the estimates become a curve."""
        return self._settings

    @settings.setter
    def settings(self, settings: MatchSettings) -> None:
        if settings.smoothing != self._settings.smoothing:
            self._smoother.settings = settings.smoothing
        if settings.label != self._settings.label:
            self._estimate = None
        self._settings = settings

    def reset(self) -> None:
        """A cut: the next curve owes nothing to the past."""
        self._smoother.reset()
        self._estimate = self._skin = None

    def rematch(self) -> None:
        """Take the next estimate as it is, even while frozen: that one is held then."""
        self.reset()
        self._shown = None

    def table(
        self,
        pixels: Pixels | Callable[[], Pixels],
        alpha: Alpha8,
        plate: Pixels,
        *,
        plate_key: Hashable,
        is_static: bool,
        time_s: float,
        again: bool = False,
    ) -> Table | None:
        """This frame's table, or None when nobody is in the picture.

        pixels (H, W, 3), or what gives them, asked only if they are needed, and alpha (H, W) of the source frame; plate
        (h, w, 3) as it will be seen. plate_key changes when the plate's picture does; a still plate's change starts the
        smoothing over. again: the last estimate holds for this frame too, as long as it was made for this plate.
        """
        if self.frozen and self._shown is not None:
            return self._rendered(self._shown)
        same_plate = self._plate is not None and (not is_static or self._plate[0] == plate_key)
        if not (again and same_plate and self._estimate is not None):
            self._estimate = self._estimated(pixels, alpha, plate, plate_key, is_static=is_static, time_s=time_s)
        return self.settle(self._estimate, time_s)

    def settle(self, knots: Knots | None, time_s: float) -> Table | None:
        """The smoothed table of a frame's estimate; None when nobody is there."""
        if knots is None:
            return None
        self._shown = self._smoother.update(knots, time_s)
        key = self.key_at(time_s) if self.key_at is not None else None
        return self._rendered(self._shown) if key is None else self._keyed(key, self._shown)

    @property
    def shown(self) -> Knots | None:
        """The curve found and smoothed last, at full strength; None before the first."""
        return self._shown

    def _keyed(self, key: MatchKey, found: Knots) -> Table:
        return self._rendered(found if key.knots is None else key.knots, key.strength)

    def _rendered(self, knots: Knots, strength: float | None = None) -> Table:
        skin = None if self._skin is None else self._skin[1]
        return lut8(curve_of(knots, self._settings, skin, strength=strength))

    def found(
        self, pixels: Pixels, alpha: Alpha8, plate: Pixels, *, plate_key: Hashable, is_static: bool, time_s: float
    ) -> tuple[Knots, Colour | None] | None:
        """One frame's curve and the colour of its skin as they are found, smoothed with nothing; None for nobody.

        Arguments as for `table`. The skin's colour is looked for only where it is to be protected.
        """
        self._skin = None
        knots = self._estimated(pixels, alpha, plate, plate_key, is_static=is_static, time_s=time_s)
        return None if knots is None else (knots, None if self._skin is None else self._skin[1])

    def _estimated(
        self,
        given: Pixels | Callable[[], Pixels],
        alpha: Alpha8,
        plate: Pixels,
        plate_key: Hashable,
        *,
        is_static: bool,
        time_s: float,
    ) -> Knots | None:
        box = coarse_box(alpha)
        if box is None:
            self.reset()
            return None
        x0, y0, x1, y1 = box
        pixels = given() if callable(given) else given
        foreground, coverage = self._thumbnail(pixels[y0:y1, x0:x1]), self._thumbnail(alpha[y0:y1, x0:x1])
        embedding = self._embedding(plate, plate_key, is_static=is_static, time_s=time_s)
        # Where the person stands need not be known to the pixel.
        standing = shrink(alpha, (self.engine.thumbnail_px,) * 2)
        if self._settings.protect_skin > 0:
            self._follow_skin(foreground, coverage, time_s)
        return self.engine.estimate(foreground, coverage, embedding, label=self._settings.label, standing=standing)

    def _thumbnail(self, picture: Pixels | Alpha8) -> Pixels:
        """As the network takes it; every pixel counts, since its quantiles tell the darkest and the lightest."""
        return shrink(picture, (self.engine.thumbnail_px,) * 2, every_pixel=True)

    def _follow_skin(self, foreground: Pixels, coverage: Alpha8, time_s: float) -> None:
        skin = skin_colour(foreground, coverage)
        if skin is None:
            return
        if self._skin is not None:
            since_s, last = self._skin
            skin = ema_step(last, skin, dt_s=time_s - since_s, tau_s=_SKIN_TAU_S)
        self._skin = time_s, skin

    def _embedding(self, plate: Pixels, key: Hashable, *, is_static: bool, time_s: float) -> PlateEmbedding:
        if self._plate is not None:
            known_key, since_s, embedding = self._plate
            if known_key == key or (not is_static and 0 <= time_s - since_s < MOVING_PLATE_REFRESH_S):
                return embedding
            if is_static:
                self.reset()
        embedding = self.engine.embed_plate(self._thumbnail(plate))
        self._plate = (key, time_s, embedding)
        return embedding


def curve_of(
    knots: Knots,
    settings: MatchSettings,
    skin: Colour | None,
    *,
    strength: float | None = None,
    entries: int = MIN_LUT_ENTRIES,
) -> Lut:
    """The curve that is applied, (3, entries) float64 in [0, 1]. strength: instead of the settings'."""
    lut = fold(knots, entries, strength=settings.strength if strength is None else strength)
    return lut if skin is None else protect_skin(lut, skin, settings.protect_skin)


def coarse_box(alpha: Alpha8) -> tuple[int, int, int, int] | None:
    """Bounding box of the foreground to within 4 px (a 16th of the reading); None when there is none."""
    step = _BOX_STEP if min(alpha.shape) >= 16 * _BOX_STEP else 1
    box = foreground_box(alpha[::step, ::step])
    if box is None:
        return None
    height, width = alpha.shape
    x0, y0, x1, y1 = (step * edge for edge in box)
    return x0, y0, min(x1, width), min(y1, height)

"""What is said of the queue and of each entry in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from app.pipeline.offline.queue_items import QueueItem
from app.ui.queue.services import Forecast
from app.ui.render_bar import time_text
from app.ui.text import tr

if TYPE_CHECKING:
    from app.pipeline.offline.control import Progress

DOT: Final = "  ·  "
_LITTLE_S: Final = 90

_PHASES: Final = {
    "planning": "Looking at the clip…",
    "trying": "Trying the encoder…",
    "analysing": "Analysing",
    "rendering": "Rendering",
    "assembling": "Putting it together…",
    "verifying": "Checking the result…",
}


def size_text(size_bytes: float) -> str:
    """Bytes as people read them: `3.2 GB`."""
    for unit, limit in (("GB", 1e9), ("MB", 1e6)):
        if size_bytes >= limit:
            return f"{size_bytes / limit:.{1 if size_bytes < 100 * limit else 0}f} {unit}"
    return f"{size_bytes / 1e3:.0f} kB"


def long_time_text(seconds: float) -> str:
    """About how long: `40 s`, `12 min`, `3 h 05 min`."""
    if seconds < _LITTLE_S:
        return f"{max(1, round(seconds))} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def share_of(item: QueueItem) -> float | None:
    """How far it is, 0..1; None while that is unknown."""
    progress = item.progress
    return None if progress is None or progress.total <= 0 else min(1.0, progress.done / progress.total)


def state_text(item: QueueItem, forecast: Forecast | None = None, *, is_brief: bool = False) -> str:
    """How it stands, in a line; is_brief: a short one."""
    match item.state:
        case "running":
            return progress_text(item.progress, is_brief=is_brief)
        case "paused":
            return _paused_text(item)
        case "failed":
            return item.message
        case "done":
            return _done_text(item)
        case "cancelled":
            return tr("Cancelled")
    words = [tr("Goes on where it stopped")] if item.has_begun else []
    return DOT.join([*words, *_forecast_words(forecast)]) or tr("Waiting")


def progress_text(progress: Progress | None, *, is_brief: bool = False) -> str:
    """What is being done, how fast, and how long still; briefly, of what takes long only how far it is."""
    if progress is None:
        return tr("Starting…")
    if progress.waits_for_bytes:
        needed = size_text(progress.waits_for_bytes)
        return tr("The disk is full: free {needed}, then it goes on").format(needed=needed)
    is_long = progress.total > 0 and progress.phase in ("analysing", "rendering")
    words = [] if is_long and is_brief else [tr(_PHASES[progress.phase])]
    if is_long:
        words.append(f"{100 * progress.done // progress.total} %")
        if progress.fps is not None:
            words.append(tr("{rate} fps").format(rate=f"{progress.fps:.{0 if progress.fps >= 10 else 1}f}"))
        if progress.eta_s is not None:
            words.append(tr("{time} left").format(time=time_text(progress.eta_s)))
    return DOT.join(words)


def summary_text(items: Sequence[QueueItem], forecasts: Mapping[str, Forecast]) -> str:
    """The whole queue in a line: how many wait, and about how long it all takes."""
    waiting = [item for item in items if item.state == "waiting"]
    counts = [(tr("{count} to render"), len(waiting))]
    counts += [(tr("{count} failed"), sum(item.state == "failed" for item in items))]
    counts += [(tr("{count} done"), sum(item.state == "done" for item in items))]
    words = [text.format(count=count) for text, count in counts if count]
    known = [forecasts[item.id].seconds for item in waiting if item.id in forecasts]
    under_way = [item.progress.eta_s for item in items if item.progress is not None]
    if len(known) == len(waiting) and None not in under_way and (waiting or under_way):
        total_s = sum(known) + sum(eta_s for eta_s in under_way if eta_s is not None)
        words.append(tr("about {time}").format(time=long_time_text(total_s)))
    return DOT.join(words)


def spoken_text(item: QueueItem, delivery: str, forecast: Forecast | None) -> str:
    """All of a row for who can't see it."""
    return ". ".join([item.clip.name, delivery, state_text(item, forecast), *([item.hint] if item.hint else [])])


def end_text(ended: Sequence[QueueItem]) -> tuple[str, str]:
    """(sentence, hint) on what became of several renders."""
    failed = [item for item in ended if item.state == "failed"]
    done = len(ended) - len(failed)
    if not failed:
        return tr("All {count} videos are rendered.").format(count=done), ""
    first = failed[0]
    name = "" if first.clip.name in first.message else f"{first.clip.name}: "
    hint = f"{name}{first.message} {first.hint}".strip()
    return tr("{failed} of {count} videos could not be rendered.").format(failed=len(failed), count=len(ended)), hint


def _done_text(item: QueueItem) -> str:
    words = tr("Done")
    if item.frames:
        words += DOT + tr("{frames} frames in {time}").format(frames=item.frames, time=long_time_text(item.seconds))
    return words


def _paused_text(item: QueueItem) -> str:
    share = share_of(item)
    return tr("Paused") if share is None else DOT.join([tr("Paused"), f"{int(100 * share)} %"])


def _forecast_words(forecast: Forecast | None) -> list[str]:
    if forecast is None:
        return []
    size = size_text(forecast.size_bytes)
    if forecast.is_too_large and forecast.free_bytes is not None:
        free = size_text(forecast.free_bytes)
        return [tr("Needs about {size}; the disk has {free}").format(size=size, free=free)]
    return [tr("About {size}").format(size=size), long_time_text(forecast.seconds)]

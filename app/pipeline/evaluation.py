"""Scoring colour-matching methods on composites whose truth is known, one picture in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from app.domain.errors import UserError
from app.domain.frame import Pixels
from app.pipeline.evaluation_methods import Method
from app.pipeline.evaluation_samples import Sample, SizeName, at_size, read_sample
from harmonizer.metrics import colour_difference, delta_e_2000, fmse, mse, psnr, ssim_and_fssim
from harmonizer.training.composites import (
    DatasetError,
    Found,
    Part,
    Triple,
    find_triples,
    select,
)
from harmonizer.training.sheets import evenly


@dataclass(frozen=True)
class Row:
    """One method on one picture at one size; errors at peak 255.

    foreground_share: 0..1. worse: fMSE above the untouched composite's. identity_shift: mean CIEDE2000 by which
    the method moves the foreground of the real picture, where nothing should move. time_ms: the method alone.
    delta_e, hue_deg, chroma, chroma_gain: as `ColourDifference`. nan where a figure has no meaning.
    """

    subset: str
    name: str
    size: SizeName
    method: str
    foreground_share: float
    mse: float
    fmse: float
    psnr: float
    ssim: float
    fssim: float
    delta_e: float
    hue_deg: float
    chroma: float
    chroma_gain: float
    identity_shift: float
    worse: bool
    time_ms: float


@dataclass(frozen=True)
class Evaluation:
    """Rows of every picture scored, and `subset/name: reason` of every picture that was not."""

    rows: tuple[Row, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Scored:
    """A picture as scored with what each method made of it; aspect: width / height of its file."""

    triple: Triple
    sample: Sample
    outputs: Mapping[str, Pixels]
    aspect: float


def find(
    folders: Sequence[Path], *, part: Part | None = None, only: Path | None = None, limit: int | None = None
) -> tuple[Found, tuple[str, ...]]:
    """What is to be scored, and notices about how it was chosen.

    only: a list of file names or hashes, one a line. limit: so many triples, evenly spread. UserError
    (BAD_INPUT) for folders that are no data set, an unreadable list, and when nothing is left.
    """
    try:
        found = find_triples(folders, part=part)
        lines = None if only is None else only.read_text("utf-8", errors="replace").splitlines()
    except DatasetError as error:
        raise UserError(f"This can't be evaluated: {error}.", "`platematch eval --help` shows the layouts.") from error
    except OSError as error:
        raise UserError(f"“{error.filename}” can't be read: {error.strerror}.", "Check its name and rights.") from error
    triples, notices = found.triples, tuple[str, ...]()
    if lines is not None:
        triples, unmet = select(triples, lines)
        notices = (f"{len(unmet)} lines of the list name no picture here, first: {unmet[0]}",) if unmet else ()
        if found.triples and not triples:
            raise UserError(f"“{only}” names no picture that was chosen.", "Try --split all, or another list.")
    if not triples:
        raise nothing_usable(found.left_out)
    return Found(_spread(triples, limit), found.left_out), notices


def nothing_usable(reasons: Sequence[str]) -> UserError:
    """The error for a data set of which no picture can be scored; names the first reasons."""
    why = "; ".join(reason.rstrip(".") for reason in reasons[:3]) or "no pictures there, or none in that part"
    more = f" and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    return UserError(f"There is nothing to evaluate: {why}{more}.", "`platematch eval --help` shows the layouts.")


def evaluate(
    found: Found,
    methods: Sequence[Method],
    *,
    sizes: Sequence[SizeName] = ("256",),
    seed: int = 7,
    tick: Callable[[], None] = lambda: None,
    show: Callable[[Scored], None] = lambda _: None,
) -> Evaluation:
    """Every method on every picture at every size; `show` is given each picture once, at the first size.

    UserError (BAD_INPUT) when not one picture can be scored.
    """
    rows: list[Row] = []
    left_out = list(found.left_out)
    for triple in found.triples:
        try:
            sample = read_sample(triple, seed=seed)
            samples = {size: at_size(sample, size) for size in sizes}
        except (UserError, ValueError) as error:
            reason = error.message if isinstance(error, UserError) else f"{error}."
            left_out.append(f"{triple.subset}/{triple.name}: {reason}")
            samples = {}
        for size, sized in samples.items():
            scored, outputs = score_picture(triple, sized, methods, size=size)
            rows += scored
            if size == sizes[0]:
                show(Scored(triple, sized, outputs, aspect=sample.inside.shape[1] / sample.inside.shape[0]))
        tick()
    if not rows:
        raise nothing_usable(left_out)
    return Evaluation(tuple(rows), tuple(left_out))


def score_picture(
    triple: Triple, sample: Sample, methods: Sequence[Method], *, size: SizeName
) -> tuple[list[Row], dict[str, Pixels]]:
    """One row a method, and the pictures they are about by method."""
    untouched = fmse(sample.composite, sample.truth, sample.inside)
    rows, outputs = [], {}
    for method in methods:
        start_s = perf_counter()
        output = method.apply(sample.composite, sample.inside)
        time_ms = (perf_counter() - start_s) * 1000.0
        scores = _scores(output, sample)
        moved = method.apply(sample.truth, sample.inside)
        outputs[method.name] = output
        row = Row(
            subset=triple.subset,
            name=triple.name,
            size=size,
            method=method.name,
            foreground_share=float(sample.inside.mean()),
            identity_shift=delta_e_2000(moved, sample.truth, sample.inside),
            worse=scores["fmse"] > untouched,
            time_ms=time_ms,
            **scores,
        )
        rows.append(row)
    return rows, outputs


def _scores(output: Pixels, sample: Sample) -> dict[str, Any]:
    whole, foreground = ssim_and_fssim(output, sample.truth, sample.inside)
    return {
        "mse": mse(output, sample.truth),
        "fmse": fmse(output, sample.truth, sample.inside),
        "psnr": psnr(output, sample.truth),
        "ssim": whole,
        "fssim": foreground,
        **vars(colour_difference(output, sample.truth, sample.inside)),
    }


def _spread(triples: Sequence[Triple], limit: int | None) -> tuple[Triple, ...]:
    return tuple(triples[i] for i in evenly(len(triples), limit))

"""`masks`: people cut out of a folder of pictures, to train on."""

from __future__ import annotations

import argparse
from pathlib import Path

from app.cli.console import Console
from app.domain.errors import ExitCode, UserError
from app.pipeline.person_masks import mask_people, pictures_to_mask


def run(args: argparse.Namespace, console: Console) -> ExitCode:
    """Mask every picture that shows a person; what was done stays when it is interrupted."""
    source, target = Path(args.folder), Path(args.output)
    total = len(pictures_to_mask(source, target))
    try:
        with console.progress("masking", total) as ticker:
            masked = mask_people(source, target, notice=console.notice, tick=ticker.tick)
    except KeyboardInterrupt:
        raise UserError(
            "Masking was interrupted.", "What is done stays; the same command goes on.", code=ExitCode.INTERRUPTED
        ) from None
    console.tell_left_out(masked.left_out)
    before = f", {masked.kept} were there" if masked.kept else ""
    console.say(f"{target}: {masked.written} of {total} pictures masked{before}")
    if console.is_json:
        console.result({"output": args.output, "pictures": total, **vars(masked), "notices": console.notices})
    return ExitCode.OK

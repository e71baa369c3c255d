"""`weights`: what is shipped, whether it is intact, and conversion of published checkpoints."""

from __future__ import annotations

import argparse
from pathlib import Path

from app.cli.console import Console
from app.cli.paths import check_output
from app.domain.errors import ExitCode, UserError
from harmonizer.weights import (
    WEIGHTS_DIR,
    WeightsEntry,
    WeightsError,
    convert_published,
    describe,
    load_network,
    read_bounded,
    read_manifest,
    sha256_of,
)


def run(args: argparse.Namespace, console: Console) -> ExitCode:
    """List, verify or convert."""
    try:
        if args.action == "convert":
            return _convert(args, console)
        return _list(console, must_match=args.action == "verify")
    except WeightsError as error:
        raise UserError(f"{error}.".replace("..", "."), code=ExitCode.MODEL) from error


def _is_intact(entry: WeightsEntry) -> bool:
    try:
        return sha256_of(read_bounded(WEIGHTS_DIR / entry.file)) == entry.sha256
    except WeightsError:
        return False


def _list(console: Console, *, must_match: bool) -> ExitCode:
    entries, default = read_manifest()
    intact = {name: _is_intact(entry) for name, entry in entries.items()}
    if console.is_json:
        console.result(
            {"default": default, "weights": {n: vars(e) | {"intact": intact[n]} for n, e in entries.items()}}
        )
    else:
        rows = [
            [n + (" (default)" if n == default else ""), e.summary, e.licence, "yes" if intact[n] else "NO"]
            for n, e in entries.items()
        ]
        console.table("Colour network weights", ["name", "what", "licence", "intact"], rows)
    if must_match and not all(intact.values()):
        damaged = ", ".join(n for n, ok in intact.items() if not ok)
        raise UserError(f"These weights were altered or are missing: {damaged}.", "Reinstall.", code=ExitCode.MODEL)
    return ExitCode.OK


def _convert(args: argparse.Namespace, console: Console) -> ExitCode:
    if not args.file or not args.output:
        raise UserError("convert needs a checkpoint and -o FILE.safetensors.", code=ExitCode.USAGE)
    source, target = Path(args.file), Path(args.output)
    if target.suffix != ".safetensors":
        raise UserError(f"{target.name} should end in .safetensors.", code=ExitCode.USAGE)
    check_output(target, inputs=(source,))
    try:
        digest = convert_published(source, target)
    except OSError as error:
        raise UserError(f"{target} can't be written ({error.strerror}).", code=ExitCode.OUTPUT) from error
    network = load_network(target)
    console.say(f"{target}: {describe(network)}")
    if console.is_json:
        console.result({"output": str(target), "sha256": digest, "network": network.config.to_dict()})
    return ExitCode.OK

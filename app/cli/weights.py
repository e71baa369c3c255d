"""`weights`: what is shipped, whether it is intact, conversion of published checkpoints, and the ONNX files."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from app.cli.console import Console
from app.cli.paths import check_output
from app.domain.errors import ExitCode, UserError
from harmonizer.manifest import (
    WEIGHTS_DIR,
    WeightsEntry,
    WeightsError,
    read_bounded,
    read_manifest,
    sha256_of,
)


def run(args: argparse.Namespace, console: Console) -> ExitCode:
    """List, verify, convert or export."""
    try:
        if args.action == "convert":
            return _convert(args, console)
        if args.action == "export-onnx":
            return _export(args, console)
        return _list(console, must_match=args.action == "verify")
    except WeightsError as error:
        raise UserError(f"{error}.".replace("..", "."), code=ExitCode.MODEL) from error


def _is_intact(entry: WeightsEntry) -> bool:
    pinned = {entry.file: entry.sha256, entry.onnx.file: entry.onnx.sha256}
    try:
        return all(sha256_of(read_bounded(WEIGHTS_DIR / file)) == digest for file, digest in pinned.items())
    except WeightsError:
        return False


def _list(console: Console, *, must_match: bool) -> ExitCode:
    entries, default = read_manifest()
    intact = {name: _is_intact(entry) for name, entry in entries.items()}
    damaged = ", ".join(name for name, is_intact in intact.items() if not is_intact)
    must_fail = must_match and damaged != ""
    if not console.is_json:
        rows = [
            [n + (" (default)" if n == default else ""), e.summary, e.licence, "yes" if intact[n] else "NO"]
            for n, e in entries.items()
        ]
        console.table("Colour network weights", ["name", "what", "licence", "intact"], rows)
    elif not must_fail:  # the error is the one object then
        listed = {n: asdict(e) | {"intact": intact[n]} for n, e in entries.items()}
        console.result({"default": default, "weights": listed})
    if must_fail:
        raise UserError(f"These weights were altered or are missing: {damaged}.", "Reinstall.", code=ExitCode.MODEL)
    return ExitCode.OK


def _convert(args: argparse.Namespace, console: Console) -> ExitCode:
    if not args.file or not args.output:
        raise UserError("convert needs a checkpoint and -o FILE.safetensors.", code=ExitCode.USAGE)
    source, target = Path(args.file), Path(args.output)
    if target.suffix != ".safetensors":
        raise UserError(f"{target.name} should end in .safetensors.", code=ExitCode.USAGE)
    check_output(target, inputs=(source,))
    from harmonizer.weights import convert_published, describe, load_network

    try:
        digest = convert_published(source, target)
    except OSError as error:
        raise UserError(f"{target} can't be written ({error.strerror}).", code=ExitCode.OUTPUT) from error
    network = load_network(target)
    console.say(f"{target}: {describe(network)}")
    if console.is_json:
        console.result({"output": str(target), "sha256": digest, "network": network.config.to_dict()})
    return ExitCode.OK


def _export(args: argparse.Namespace, console: Console) -> ExitCode:
    """For developers, after new weights: without a folder, the package's own files are renewed."""
    folder = Path(args.output) if args.output else WEIGHTS_DIR
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder.", code=ExitCode.USAGE)
    try:
        from harmonizer.onnx_export import export_shipped

        written = export_shipped(folder)
    except ImportError as error:
        raise UserError(
            f"The export needs a package that is not installed: {error.name}.",
            'Install it: pip install "platematch[train]".',
            code=ExitCode.FAILED,
        ) from error
    except OSError as error:
        raise UserError(f"{folder} can't be written to ({error.strerror}).", code=ExitCode.OUTPUT) from error
    for name, path in written.items():
        console.say(f"{name}: {path}")
    if console.is_json:
        console.result({"written": {name: str(path) for name, path in written.items()}})
    return ExitCode.OK

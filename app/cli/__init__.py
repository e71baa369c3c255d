"""The command line: parse, run, and turn every error into one sentence and an exit code."""

from __future__ import annotations

import signal
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from app.cli.console import Console
from app.cli.parser import build_parser
from app.domain.errors import ExitCode, UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (see `ExitCode`), never raises for bad input."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.run is None:
        parser.print_help()
        return ExitCode.USAGE
    console = Console(json_output=args.json, quiet=args.quiet)
    try:
        with _warnings_as_notices(console), _terminate_as_interrupt():
            return int(args.run(args, console))
    except UserError as error:
        console.error(error.message, error.hint, code=error.code)
        return error.code
    except KeyboardInterrupt:
        console.error(
            "Interrupted; unfinished files were removed, and a render goes on where it stopped.",
            code=ExitCode.INTERRUPTED,
        )
        return ExitCode.INTERRUPTED
    except Exception as error:  # a defect of ours: still one sentence, the trace on request
        if args.debug:
            traceback.print_exc()
        message = f"Something unexpected went wrong: {type(error).__name__}: {error}"
        console.error(message, "Run again with --debug for the details.", code=ExitCode.FAILED)
        return ExitCode.FAILED


@contextmanager
def _warnings_as_notices(console: Console) -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The one warning meant for people, harmonizer's UnstableNetworkWarning; by its words, because naming the
        # class would import numpy and more before `--help` is answered.
        warnings.filterwarnings("always", message="the network gave no usable curve")
        warnings.showwarning = lambda message, *_args, **_kwargs: console.notice(str(message))
        yield


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """SIGTERM tidies up as Ctrl-C does; left alone off the main thread, where no handler can be set."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        previous = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


if __name__ == "__main__":
    sys.exit(main())

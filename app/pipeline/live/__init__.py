"""The live pipeline: sources, threads and outputs of a picture that never stops."""

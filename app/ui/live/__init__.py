"""The live mode of the window."""

"""Correcting mattes by hand: arrays, tools and the document; no files, clocks or windows."""

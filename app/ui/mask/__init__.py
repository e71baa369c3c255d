"""Mask mode: the canvas, its tools, the timeline, and what holds them together."""

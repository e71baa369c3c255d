"""What paints on the canvas: each tool turns gestures into one step of the project."""

"""Training and its data: recolour real pictures, learn to undo it. Needs nothing beyond torch and Pillow."""

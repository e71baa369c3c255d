"""Recording the live picture, with sound."""

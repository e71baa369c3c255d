"""What `bench` measures: one module a benchmark, and what all of them share (machine, figures, clips, pictures)."""

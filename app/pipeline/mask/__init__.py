"""Mask projects: their files, the clip's frames and mattes, propagation, import and export."""

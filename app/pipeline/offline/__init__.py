"""Finished composites for people who deliver video: two passes with look-ahead, in segments that resume and spread."""

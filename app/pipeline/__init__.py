"""Files, threads and models around the domain; no Qt."""

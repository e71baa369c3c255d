"""PlateMatch: the application around `harmonizer`."""

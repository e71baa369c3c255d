"""Composing frames on a graphics card; torch is imported only where a device is really used."""

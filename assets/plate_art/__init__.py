"""The default plates, computed: light first, then a lens, then film. numpy and OpenCV only."""

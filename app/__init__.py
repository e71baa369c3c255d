"""PlateMatch: the application around `harmonizer`."""

import os
import sys

if sys.platform == "win32":
    # Read when cv2 is imported: with hardware transforms a camera takes many seconds to open by Media Foundation.
    os.environ.setdefault("OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS", "0")

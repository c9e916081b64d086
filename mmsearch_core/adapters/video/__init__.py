"""Videos become shots with their frames and times: decord reads them, PyAV what decord cannot, and
PySceneDetect finds the shots."""

from mmsearch_core.adapters.video.cut import cut
from mmsearch_core.adapters.video.opener import MODULES, open_video

__all__ = ["MODULES", "cut", "open_video"]

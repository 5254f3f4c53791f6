"""What draws the window: a graphics card, or software on the processor that everything else runs on too."""

from __future__ import annotations

CARD, SOFTWARE = 0.008, 0.025  # s that a window sleeps after a frame
ANEW = 0.25  # s after which software shows what stands there again: another window may have covered it


def software_renderer() -> str:
    """Name of the software that draws the open window where no graphics card does, else nothing."""
    from pyglet.gl import gl_info

    name = str(gl_info.get_renderer()).split(" ")[0]
    return name if name.lower() in ("llvmpipe", "softpipe", "swrast", "gdi") else ""

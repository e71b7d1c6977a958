"""A camera for tests: serves a GStreamer pipeline at rtsp://127.0.0.1:PORT/cam.

Usage: camera.py PORT PIPELINE

PORT may be 0, for any that is free. The pipeline is written as for gst-launch, with
payloaders named pay0, pay1 ... and an identity named tap. Prints the port, and then a
line for each buffer that passes the tap: its size in bytes, and when, in Unix
microseconds. It ends with its standard input.
"""

import os
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GLib, GstRtspServer  # noqa: E402


def passed(_tap, buffer):
    print(buffer.get_size(), time.time_ns() // 1000, flush=True)


def configure(_factory, media):
    media.set_rate_control(False)  # it would hold back what it takes for the pipeline's latency
    tap = media.get_element().get_by_name("tap")
    tap.set_property("signal-handoffs", True)
    tap.connect("handoff", passed)


def end_with_input():
    sys.stdin.read()
    os._exit(0)


Gst.init(None)
factory = GstRtspServer.RTSPMediaFactory(launch=sys.argv[2], shared=True)
factory.connect("media-configure", configure)
server = GstRtspServer.RTSPServer(address="127.0.0.1", service=sys.argv[1])
server.get_mount_points().add_factory("/cam", factory)
if not server.attach(None):
    sys.exit(f"port {sys.argv[1]} is taken")
print(server.get_bound_port(), flush=True)
threading.Thread(target=end_with_input, daemon=True).start()
GLib.MainLoop().run()

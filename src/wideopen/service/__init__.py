"""The HTTP service: it accepts photos and returns them with bokeh. `wideopen serve` starts it; see docs/service.md.

This process parses HTTP and schedules the work; it never decodes an image. Worker processes do everything that touches
a client's file, and may crash without harm. No client input is ever used as a path or a URL.
"""

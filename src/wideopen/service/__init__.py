"""The service: photos in, photos with bokeh out, over HTTP. `wideopen serve` starts it; docs/service.md describes it.

This process parses HTTP and keeps order; it never decodes a picture. Whatever touches a client's file runs in a worker
process, which may crash without harm. Nothing that a client sends is ever used as a path or a URL.
"""

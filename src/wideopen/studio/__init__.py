"""The studio: a web page for adjusting the lens of a photo. Needs the extra `web`.

`launch.make_app` makes the Gradio app; `launch` serves it or mounts it on another. Pictures come from plain functions
(`preview`, `brush`, `equivalent`, `work`); `tabs` keeps the state of each browser tab.
"""

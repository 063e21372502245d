"""The studio: a page on which a photographer plays with the lens. Needs the extra `web`.

`page.make_app` makes the Gradio app, `launch` serves it or mounts it on another. What a picture needs is plain
functions (`preview`, `brush`, `equivalent`, `full_size`); who is at the page, and for how long, is `state`.
"""

"""What one command does for one photo, from file to file; shared by all that take photos from users.

`render_file.render_file` reads, analyses, renders and writes; `open_photo.open_photo` stops at the scene, to render it
again and again; `settings` holds what users can set. Nothing is imported here, so that the command line starts quickly.
"""

"""From file to file: the steps that a command runs for one photo, shared by every interface that takes users' photos.

`render_file.render_file` reads, analyses, renders and writes; `open_photo.open_photo` stops at the scene, which can be
rendered again and again. Nothing is imported here, so that the command line starts quickly.
"""

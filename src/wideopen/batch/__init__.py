"""Renders many photos, from folders, lists and buckets, in worker processes or on a cluster.

`walk` finds the photos; `places` reads and writes local files and URLs; `work` renders one photo in a worker;
`manifest` records what is done; `run` processes all photos with an engine from `local` or `ray_engine`. This file
imports nothing, so that the command line starts quickly.
"""

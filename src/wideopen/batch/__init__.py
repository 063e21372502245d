"""Many photos, from folders, lists and buckets, in worker processes or on a cluster.

`walk` finds the photos and `places` reads and writes where they are; `work` does one of them, in a worker; `manifest`
remembers what is done; `run` goes through all of them with an engine, `local` or `ray_engine`; `report` and `watch` are
what their names say. Nothing is imported here, so that the command line starts quickly.
"""

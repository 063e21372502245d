"""Many photos, from folders, lists and buckets, in worker processes or on a cluster.

`walk` finds the photos and `places` reads and writes where they are; `work` does one of them, in a worker; `manifest`
remembers what is done; `run` goes through all of them with an engine, `local` or `ray_engine`. Nothing is imported
here, so that the command line starts quickly.
"""

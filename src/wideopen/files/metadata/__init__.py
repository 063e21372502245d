"""EXIF, XMP and ICC profiles, as bytes and as values."""

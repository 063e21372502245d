"""File containers: JPEG segments, PNG chunks, TIFF directories, HEIF items."""

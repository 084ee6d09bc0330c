"""Runs, models and tables on a store that others reach too: S3, WebDAV, any that fsspec knows."""

"""Messages that lie on disk until their receiver has acknowledged them, and which were taken."""

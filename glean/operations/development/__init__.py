"""All of it on a laptop, as on several machines: from what is installed, in one folder."""

"""Pictures and their classes are read from files; what can't be read is named, with the reason."""

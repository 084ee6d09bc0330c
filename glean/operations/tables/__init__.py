"""Sales tables: imported, checked, summed up, with remarks in a language."""

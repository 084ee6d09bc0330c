"""Templates, style and scripts of the pages, and what turns them into answers."""

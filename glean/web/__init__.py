"""What pages of two applications are made with: templates, files to load, headers, languages."""

"""Sales files in the documented format."""

"""The REST API, a module for each noun."""

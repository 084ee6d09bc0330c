"""Exports of tills and spreadsheets, brought into the documented format."""

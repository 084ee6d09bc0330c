"""Tests of the lasting node."""

"""Tests of how pictures are read."""

"""Federated runs on a mesh: proposed by any member, coordinated by one of those that take part.

What a run has done so far is kept by a majority of its participants before anybody hears of it, so
another coordinator can go on. What is trained, and how, isn't known here.
"""

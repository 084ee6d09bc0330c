"""The bakery's own page, `glean shop`: what to bake, and what came of it; on its own machine.

Its process imports no pandas, no XGBoost and no Flower: pages are there in an instant. Plans are
made by a worker process and kept in the home.
"""

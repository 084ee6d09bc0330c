"""What processes that share out the end of a run need: imported once, before they are forked."""

from contextlib import suppress

from glean.errors import GleanError
from glean.evaluation.figures import drawing
from glean.evaluation.tables import client_tables
from glean.learning.xgboost_library import load_xgboost

__all__ = ["client_tables", "drawing"]

with suppress(GleanError):
    load_xgboost()
with suppress(ImportError):
    import matplotlib.backends.backend_agg
    import matplotlib.figure
    import matplotlib.ticker  # noqa: F401 - what `Canvas` imports where it draws

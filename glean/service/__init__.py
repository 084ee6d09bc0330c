"""The control room: a REST API and pages over a folder of results, served by `glean serve`.

Thin: a request is parsed, a function of `operations/` that the command line calls too does the
work, the answer is serialised. Only this folder imports FastAPI, SQLAlchemy and
what goes with them.
"""

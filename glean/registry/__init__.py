"""The registry of models: what of a run goes to an MLflow server, and what comes from there."""

"""Features: a `SalesTable` becomes a `FeatureMatrix` that bakeries of any size can share."""

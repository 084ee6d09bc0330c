"""Learning: a `FeatureMatrix` and the global model become a bakery's contribution."""

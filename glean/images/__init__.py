"""Pictures that belong to classes: a network that tells them, trained by steps and averaged."""

"""Drop-in package: rknnlite.api.RKNNLite over OpenRKNN's session."""

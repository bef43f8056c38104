"""Drop-in modules of RKNN-Toolkit2, by OpenRKNN."""

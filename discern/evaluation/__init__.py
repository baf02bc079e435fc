"""Evaluation: retrieval and open-set metrics, calibration, paired comparison. Search and decision are the device's own."""

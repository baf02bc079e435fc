"""Evaluation: retrieval and open-set metrics, calibration, comparison. Search and decision are the device's own."""

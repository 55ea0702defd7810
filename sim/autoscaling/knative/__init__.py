"""Knative's autoscaler (KPA): panic, rates, scale to zero."""

"""Autoscalers of clouds: AWS target tracking and step scaling, GCP managed instance groups."""

"""What Kubernetes clusters scale by: the HorizontalPodAutoscaler, and KEDA on top of it."""

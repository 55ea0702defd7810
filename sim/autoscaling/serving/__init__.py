"""Autoscalers that come with serving systems: Ray Serve, Dynamo, llm-d's variant autoscaler, AIBrix."""

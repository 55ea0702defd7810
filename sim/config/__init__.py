"""From YAML to validated models, or errors with a place: the generic loader. It knows nothing of scenarios."""

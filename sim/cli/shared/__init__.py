"""What several verbs share: options, progress, files, plain text."""

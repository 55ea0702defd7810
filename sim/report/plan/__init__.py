"""The document of a plan: what is asked, why so much, how that is known, what may go wrong; as HTML, Markdown, CSV."""

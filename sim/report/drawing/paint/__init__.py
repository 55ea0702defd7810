"""Pictures as files: the plots that a page draws, painted by matplotlib; of Plotly's words those that figures use."""

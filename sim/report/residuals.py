"""The picture of a calibration: predicted beside measured, and the error at each point, as one offline page."""

from __future__ import annotations

from sim.study.fitted import Fit

_NAMES = {"ttft": "TTFT", "tpot": "TPOT", "e2e": "E2E", "iteration": "iteration"}


def residual_page(fit: Fit, title: str) -> str:
    """HTML with Plotly's JavaScript inlined."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=1, cols=2, subplot_titles=("Predicted over measured", "Predicted beside measured"))
    for metric, name in _NAMES.items():
        rows = [r for r in fit.residuals if r.metric == metric]
        if not rows:
            continue
        points = [r.point for r in rows]
        errors = [100.0 * r.error_share for r in rows]
        figure.add_trace(go.Scatter(x=points, y=errors, mode="markers", name=f"{name} error"), row=1, col=1)
        measured, predicted = [1e3 * r.measured for r in rows], [1e3 * r.predicted for r in rows]
        figure.add_trace(go.Scatter(x=measured, y=predicted, mode="markers", name=name, text=points), row=1, col=2)
    values = [1e3 * value for r in fit.residuals for value in (r.measured, r.predicted)]
    if values:
        ends = [min(values), max(values)]
        figure.add_trace(go.Scatter(x=ends, y=ends, mode="lines", name="equal", line={"dash": "dot"}), row=1, col=2)
    figure.add_hline(y=0.0, line={"dash": "dot"}, row=1, col=1)
    figure.update_yaxes(title="error, %", row=1, col=1)
    figure.update_xaxes(title="measured, ms", type="log", row=1, col=2)
    figure.update_yaxes(title="predicted, ms", type="log", row=1, col=2)
    figure.update_layout(title=title, template="plotly_white")
    return str(figure.to_html(include_plotlyjs=True, full_html=True))

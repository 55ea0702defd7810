"use strict";
(() => {
  const plots = JSON.parse(document.getElementById("plots").textContent);

  // Colours stand in the plots as var(--name): put in what the page's theme says now.
  const painted = (node, style) => {
    if (typeof node === "string") {
      const name = /^var\((--[a-z-]+)\)$/.exec(node);
      return name ? style.getPropertyValue(name[1]).trim() : node;
    }
    if (Array.isArray(node)) return node.map((item) => painted(item, style));
    if (node !== null && typeof node === "object") {
      return Object.fromEntries(Object.entries(node).map(([key, item]) => [key, painted(item, style)]));
    }
    return node;
  };

  const draw = () => {
    const style = getComputedStyle(document.documentElement);
    const axis = { gridcolor: "var(--rule)", linecolor: "var(--rule)", zeroline: false, automargin: true, title: { standoff: 8 } };
    const common = {
      autosize: true, hovermode: "x unified", showlegend: true,
      paper_bgcolor: "transparent", plot_bgcolor: "transparent",
      margin: { l: 64, r: 16, t: 12, b: 44 },
      font: { family: "system-ui, Segoe UI, Roboto, DejaVu Sans, sans-serif", size: 12.5, color: "var(--muted)" },
      legend: { orientation: "h", x: 0, y: 1.02, xanchor: "left", yanchor: "bottom", bgcolor: "transparent" },
      hoverlabel: { bgcolor: "var(--card)", bordercolor: "var(--rule)", font: { color: "var(--text)" } },
    };
    for (const holder of document.querySelectorAll("[data-plot]")) {
      const plot = plots[holder.dataset.plot];
      const layout = { ...common, ...plot.layout, legend: { ...common.legend, ...plot.layout.legend } };
      for (const key of Object.keys(plot.layout).filter((name) => /^[xy]axis\d*$/.test(name))) {
        layout[key] = { ...axis, ...plot.layout[key], title: { ...axis.title, ...plot.layout[key].title } };
      }
      Plotly.react(holder, painted(plot.data, style), painted(layout, style), { responsive: true, displaylogo: false, displayModeBar: false });
    }
  };

  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();

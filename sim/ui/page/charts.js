// Draws what the server sends. Colours stand in the plots as var(--name): put in what the page's theme says now.

const FONT = "system-ui, Segoe UI, Roboto, DejaVu Sans, sans-serif";
const NARROW = 500;
const drawn = new Map();

function painted(node, style) {
  if (typeof node === "string") {
    const name = /^var\((--[a-z-]+)\)$/.exec(node);
    return name ? style.getPropertyValue(name[1]).trim() : node;
  }
  if (Array.isArray(node)) {
    return node.length && typeof node[0] !== "object" && typeof node[0] !== "string" ? node : node.map((item) => painted(item, style));
  }
  if (node !== null && typeof node === "object") {
    return Object.fromEntries(Object.entries(node).map(([key, item]) => [key, painted(item, style)]));
  }
  return node;
}

const axis = { gridcolor: "var(--rule)", linecolor: "var(--rule)", zeroline: false, automargin: true };

// Lines of the pinned variant, behind those of the present one.
function ghosts(pinned) {
  return pinned.data
    .filter((trace) => trace.mode?.startsWith("lines") && !trace.stackgroup)
    .map(({ fill, fillcolor, text, hovertemplate, ...trace }, place) => ({
      ...trace, mode: "lines", name: "pinned", legendgroup: "pinned", showlegend: place === 0, hoverinfo: "skip",
      line: { color: "var(--ghost)", width: 1.6, dash: "dot", shape: trace.line?.shape },
    }));
}

// On a phone the titles of axes beside one another would lie on each other; the legend says the same.
function narrow(layout) {
  const upright = Object.keys(layout).filter((key) => /^yaxis\d*$/.test(key));
  for (const key of upright) layout[key] = { ...layout[key], title: { text: upright.length > 1 ? "" : layout[key].title?.text } };
  layout.margin = { ...layout.margin, l: 40 };
}

export async function draw(name, plot, pinned = null) {
  drawn.set(name, [plot, pinned]);
  const style = getComputedStyle(document.documentElement);
  const wide = document.getElementById(name).clientWidth;
  const layout = {
    autosize: true, hovermode: "x unified", showlegend: true, paper_bgcolor: "transparent", plot_bgcolor: "transparent",
    margin: { l: 58, r: 12, t: 8, b: 40 }, font: { family: FONT, size: 12, color: "var(--muted)" },
    hoverlabel: { bgcolor: "var(--card)", bordercolor: "var(--rule)", font: { color: "var(--text)" } },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { size: wide < NARROW ? 10 : 12 } },
    ...plot.layout,
  };
  for (const key of Object.keys(layout)) {
    if (/^[xy]axis\d*$/.test(key)) layout[key] = { ...axis, ...layout[key] };
  }
  layout.xaxis = { ...axis, ...layout.xaxis };
  if (wide < NARROW) narrow(layout);
  const data = [...(pinned ? ghosts(pinned) : []), ...plot.data];
  await Plotly.react(name, painted(data, style), painted(layout, style), { displayModeBar: false, responsive: true });
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const [name, [plot, pinned]] of drawn) draw(name, plot, pinned);
});

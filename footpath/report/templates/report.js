"use strict";
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const isDark = () => (root.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";

  /* Evidence of an entry of the map. */
  const dialog = document.getElementById("evidence");
  const body = dialog.querySelector("div");
  document.addEventListener("click", async (event) => {
    const entry = event.target.closest("[data-evidence]");
    if (entry) {
      body.replaceChildren(document.getElementById(entry.dataset.evidence).content.cloneNode(true));
      dialog.showModal();
    } else if (event.target === dialog || event.target.closest(".close")) {
      dialog.close();
    } else if (event.target.closest(".copy")) {
      const button = event.target.closest(".copy");
      const code = button.parentElement.querySelector("code");
      getSelection().selectAllChildren(code);
      try {
        await navigator.clipboard.writeText(code.textContent);
      } catch {
        document.execCommand("copy");
      }
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy SQL"; }, 1600);
    }
  });

  /* The flow. */
  const canvas = document.getElementById("sankey");
  let draw = () => {};
  if (canvas && window.Plotly) {
    const data = JSON.parse(document.getElementById("flow-data").textContent);
    const least = document.getElementById("least");
    const told = document.getElementById("least-told");
    const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
    const tone = { START: "--soft", CONVERSION: "--trail", DROP_OFF: "--pain", OPEN: "--faint" };
    const fade = (hex, alpha) => {
      const n = parseInt(hex.slice(1), 16);
      return `rgba(${n >> 16}, ${(n >> 8) & 255}, ${n & 255}, ${alpha})`;
    };
    draw = () => {
      const { nodes, moves } = data[document.querySelector("[name=level]:checked").value];
      told.textContent = `${least.value}%`;
      const shown = moves.filter((m) => m.from !== m.to && m.share * 100 >= Number(least.value));
      const used = [...new Set(shown.flatMap((m) => [m.from, m.to]))].sort((a, b) => a - b);
      const place = new Map(used.map((node, i) => [node, i]));
      const tones = used.map((i) => colour(tone[nodes[i].end] || (nodes[i].hue ? `--h${nodes[i].hue}` : "--faint")));
      const last = Math.max(1, ...nodes.map((n) => n.position));
      const ends = { START: 0.4, CONVERSION: 0.2, DROP_OFF: 0.75, OPEN: 0.98 };
      const crowd = used.filter((i) => nodes[i].hue && nodes[i].position % 1).length;
      const height = (i, place) => ends[nodes[i].end] ?? (crowd ? 0.16 + 0.27 * (place % 3) : 0.4);
      Plotly.react(canvas, [{
        type: "sankey",
        arrangement: "snap",
        node: {
          label: used.map((i) => plain(nodes[i].label)),
          color: tones,
          x: used.map((i) => Math.min(0.999, Math.max(0.001, nodes[i].position / last))),
          y: used.map(height),
          pad: 18, thickness: 14, line: { width: 0 },
          hovertemplate: "%{label}<extra></extra>",
        },
        link: {
          source: shown.map((m) => place.get(m.from)),
          target: shown.map((m) => place.get(m.to)),
          value: shown.map((m) => m.count),
          color: shown.map((m) => fade(tones[place.get(nodes[m.to].end === "DROP_OFF" ? m.to : m.from)], isDark() ? 0.38 : 0.3)),
          customdata: shown.map((m) => m.told.map(plain).join("<br>")),
          hovertemplate: "%{source.label} to %{target.label}<br>%{customdata}<extra></extra>",
        },
      }], {
        font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("--ink") },
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
        margin: { l: 8, r: 8, t: crowd ? 76 : 8, b: 16 },
        hoverlabel: { bgcolor: colour("--card"), bordercolor: colour("--line"), font: { color: colour("--ink"), size: 13 }, align: "left" },
      }, { displayModeBar: false, responsive: true });
    };
    document.getElementById("flow-controls").addEventListener("input", draw);
    dark.addEventListener("change", draw);
    draw();
  }

  /* Light and dark. */
  document.querySelector(".theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    draw();
  });
})();

// The sliders of a scenario: each shows a value, and tells what it was moved to. On a logarithmic one ratios count.

const STEPS = 1000;
const shown = (knob, value) =>
  typeof value === "string" ? value
    : knob.unit === "$/h" ? `$${value.toFixed(3).replace(/0$/, "")}/h`
      : `${+value.toPrecision(4)}${knob.unit === "x" ? " ×" : knob.unit ? ` ${knob.unit}` : ""}`;

function toPlace(knob, value) {
  return knob.log ? (STEPS * Math.log(value / knob.low)) / Math.log(knob.high / knob.low) : value;
}

function toValue(knob, place) {
  if (!knob.log) return knob.step === 1 ? Math.round(place) : +place.toPrecision(6);
  const value = knob.low * (knob.high / knob.low) ** (place / STEPS);
  const rounded = knob.step === 1 ? Math.round(value) : +value.toPrecision(3);
  return Math.min(Math.max(rounded, knob.low), knob.high);
}

export function build(form, knobs, moved, changed) {
  form.replaceChildren(...knobs.map((knob) => one(knob, moved[knob.key] ?? knob.own, changed)));
}

function one(knob, value, changed) {
  const box = document.createElement("div");
  box.className = "knob";
  const id = `knob-${knob.key}`;
  const label = document.createElement("label");
  label.htmlFor = id;
  label.append(knob.label);
  const said = document.createElement("output");
  said.htmlFor = id;
  label.append(said);
  const input = document.createElement(knob.kind === "choice" ? "select" : "input");
  input.id = id;
  input.dataset.key = knob.key;
  input.title = knob.help;
  const help = document.createElement("small");
  help.id = `${id}-help`;
  help.textContent = knob.help;
  input.setAttribute("aria-describedby", help.id);
  const show = (now) => {
    said.textContent = shown(knob, now);
    box.classList.toggle("moved", now !== knob.own);
    input.setAttribute("aria-valuetext", said.textContent);
  };
  if (knob.kind === "choice") {
    input.append(...knob.choices.map((choice) => new Option(choice, choice, choice === knob.own, choice === value)));
    input.addEventListener("input", (event) => { show(input.value); changed(knob, input.value, event.timeStamp); });
  } else {
    input.type = "range";
    Object.assign(input, knob.log ? { min: 0, max: STEPS, step: 1 } : { min: knob.low, max: knob.high, step: knob.step });
    input.value = toPlace(knob, value);
    if (knob.log) logKeys(knob, input);
    input.addEventListener("input", (event) => {
      const now = near(knob, toValue(knob, Number(input.value)));
      show(now);
      changed(knob, now, event.timeStamp);
    });
  }
  show(value);
  box.append(label, input, help);
  return box;
}

// Of a logarithmic slider of whole numbers an arrow key must move by one, however small a part of the way that is.
function logKeys(knob, input) {
  if (knob.step !== 1) return;
  input.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const next = Math.min(Math.max(toValue(knob, Number(input.value)) + by, knob.low), knob.high);
    input.value = toPlace(knob, next);
    input.dispatchEvent(new Event("input"));
  });
}

// What the scenario says can always be had again, even where it lies between two places of the slider.
function near(knob, value) {
  const width = knob.log ? Math.abs(toPlace(knob, value) - toPlace(knob, knob.own)) / STEPS : Math.abs(value - knob.own) / (knob.high - knob.low);
  return width < 0.004 && knob.step !== 1 ? knob.own : value;
}

'use strict';
// Sets lattice and cell to the snapshot that the slider asks for.
for (const figure of document.querySelectorAll('[data-frames]')) {
  const frames = JSON.parse(
    document.getElementById(figure.dataset.frames).textContent);
  const slider = figure.querySelector('input');
  const text = figure.querySelector('.moment');
  const groups = {};
  for (const group of figure.querySelectorAll('[data-key]')) {
    (groups[group.dataset.key] ||= []).push(group);
  }
  const part = (key, name) => groups[key]?.[0].querySelector(name);
  const { colors, width, opacity } = frames;

  const showTransitions = (moment) => {
    const path = new Set(moment.path);
    frames.transitions.forEach(([line, number], index) => {
      const probability = moment.probabilities[index];
      const isChosen = path.has(index);
      const color = isChosen ? colors.path : colors.ink;
      const stroke = part(line, 'path').style;
      stroke.stroke = color;
      stroke.strokeWidth = width[0] + width[1] * probability;
      stroke.strokeOpacity =
        isChosen ? 1 : opacity[0] + opacity[1] * probability;
      const label = part(number, 'text');
      if (!label) return;
      label.textContent = probability.toFixed(2);
      label.style.fill = color;
      label.style.fontWeight = isChosen ? 'bold' : 'normal';
    });
  };

  const showNodes = (moment) => {
    const onPath = new Set(moment.nodes);
    frames.nodes.forEach((key, index) => {
      const node = part(key, 'path').style;
      node.fill = onPath.has(index) ? colors.path : colors.paper;
      node.stroke = onPath.has(index) ? colors.path : colors.node;
    });
  };

  const showCell = (moment) => {
    const kept = new Set(moment.edges);
    frames.edges.forEach((key, index) => {
      for (const group of groups[key] || []) {
        group.style.display = kept.has(index) ? '' : 'none';
      }
    });
    moment.operations.forEach((name, index) => {
      const [label, color] = frames.primitives[name];
      const [box, word] = frames.operations[index];
      part(box, 'path').style.fill = color;
      part(word, 'text').textContent = label;
    });
  };

  const show = () => {
    const moment = frames.moments[slider.value];
    text.textContent = moment.text;
    slider.setAttribute('aria-valuetext', moment.text);
    showTransitions(moment);
    showNodes(moment);
    showCell(moment);
  };
  slider.disabled = false;
  slider.addEventListener('input', show);
  // A browser that comes back to the page keeps where the slider was.
  show();
}

// On paper nothing can be opened.
addEventListener('beforeprint', () => {
  for (const details of document.querySelectorAll('details')) {
    details.open = true;
  }
});

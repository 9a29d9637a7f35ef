'use strict';

const FIELDS = [
  {name: 'control_nodes', label: 'Control nodes', type: 'number', min: 1, max: 3, initial: 1},
  {name: 'workers', label: 'Worker nodes', type: 'number', min: 1, max: 50, initial: 2},
  {name: 'release', label: 'Kubernetes release', type: 'text', initial: '1.31'},
  {name: 'flavour', label: 'Machine type', type: 'text', initial: 'm1.medium'},
];

/** The launch form: plain DOM, so that any host page can mount it. */
class KubeConfigForm {
  constructor(config = {}) {
    this.value = {};
    for (const field of FIELDS) {
      this.value[field.name] = config[field.name] ?? field.initial;
    }
  }

  /** One sentence for each value that can't be launched. */
  errors() {
    return FIELDS.filter((f) => f.type === 'number')
      .filter((f) => !(this.value[f.name] >= f.min && this.value[f.name] <= f.max))
      .map((f) => `${f.label}: give a number from ${f.min} to ${f.max}`);
  }

  /** Shows the form inside element; value follows what the user types. */
  mount(element) {
    for (const field of FIELDS) {
      const label = element.ownerDocument.createElement('label');
      const input = element.ownerDocument.createElement('input');
      label.textContent = field.label;
      input.type = field.type;
      input.value = this.value[field.name];
      input.addEventListener('input', () => {
        this.value[field.name] = field.type === 'number' ? Number(input.value) : input.value;
      });
      label.append(input);
      element.append(label);
    }
  }
}

module.exports = {KubeConfigForm, FIELDS};

'use strict';

/** Edits the partitions of a cluster that is about to be launched. */
class LaunchForm {
  constructor(config = {}) {
    this.value = {partitions: config.partitions ?? [{name: 'batch', nodes: 4, cpus: 8}]};
  }

  /** One sentence for each value that can't be launched. */
  errors() {
    return this.value.partitions
      .filter((p) => !(p.nodes >= 1))
      .map((p) => `Partition ${p.name}: give it at least one node`);
  }

  /** Shows one line for each partition inside element. */
  mount(element) {
    for (const partition of this.value.partitions) {
      const line = element.ownerDocument.createElement('p');
      line.textContent = `${partition.name}: ${partition.nodes} nodes of ${partition.cpus} CPUs`;
      element.append(line);
    }
  }
}

/** Lists the nodes of a running cluster. */
class NodeTable {
  constructor(nodes = []) {
    this.nodes = nodes;
  }

  mount(element) {
    const table = element.ownerDocument.createElement('table');
    for (const node of this.nodes) {
      const row = table.insertRow();
      row.insertCell().textContent = node.name;
      row.insertCell().textContent = node.state;
    }
    element.append(table);
  }
}

module.exports = {LaunchForm, NodeTable};

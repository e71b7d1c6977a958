// Vitest prints failures with Map.groupBy, which Node.js 20 lacks: without it a
// test that fails there tells nothing. The configurations of the tests import this.
Map.groupBy ??= (items, keyOf) => {
  const groups = new Map();
  let index = 0;
  for (const item of items) {
    const key = keyOf(item, index++);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
};

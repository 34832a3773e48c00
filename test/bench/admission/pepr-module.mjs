// A Pepr module with one policy, as its users write it. Runs where Pepr is installed; see pepr.ts.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(pathToFileURL(`${process.cwd()}/`));
const { Capability, PeprModule, a } = require('pepr');
const miner = new RegExp(process.env.MINER, 'i');

const capability = new Capability({ name: 'miners', description: 'Refuses miners', namespaces: [] });
const check = (spec) => {
  const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  return containers.some(({ image, command = [], args = [] }) =>
    miner.test([image, ...command, ...args].join(' ')),
  );
};
for (const [kind, specOf] of [
  [a.Pod, (object) => object.spec],
  [a.DaemonSet, (object) => object.spec.template.spec],
]) {
  capability
    .When(kind)
    .IsCreatedOrUpdated()
    .Validate((request) => (check(specOf(request.Raw)) ? request.Deny('It is a miner.') : request.Approve()));
}

new PeprModule(
  {
    description: 'bench',
    pepr: { uuid: 'bench', onError: 'reject', alwaysIgnore: { namespaces: [] } },
  },
  [capability],
);

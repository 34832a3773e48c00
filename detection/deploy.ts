import { manifestsIn } from './manifest-text.ts';
import type { Machine } from './shell/machine.ts';

/** Judges what a script hands to the API server, as text, as the API server's own request. */
export function deployText(text: string | undefined, path: string, machine: Machine): void {
  // Reading YAML costs more than reading a script.
  if (text === undefined || !machine.deploy || !machine.docket.spend(4 * text.length, path)) return;
  const onTooDeep = () =>
    machine.docket.report('analysis-limit', path, 'A manifest in it nests too deep to be read.');
  for (const manifest of manifestsIn(text, onTooDeep)) machine.deploy(manifest, path);
}

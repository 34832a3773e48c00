/**
 * `npm run image`: builds the images `kubesentry-webhook` and `kubesentry-agent` with docker or buildah and writes
 * them as docker-archive files into dist/image/.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { VERSION } from '../api/names.ts';
import { ARCHITECTURES, binariesFor, HERE } from './binaries.ts';
import { bundle } from './bundle.ts';
import { ensurePackages } from './debian-packages.mjs';
import { Buildah, type Builder, Docker, EPOCH } from './image-builder.ts';
import type { Architecture } from './private-apt.ts';
import {
  billOfMaterials,
  debianComponents,
  linkedComponents,
  nodeComponents,
  npmComponents,
} from './sbom.ts';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'dist', 'image');

/** What the Node binary links to, and the certificates that a webhook behind a sink's TLS needs. */
const ROOT_PACKAGES = ['libc6', 'libstdc++6', 'libgcc-s1', 'ca-certificates'];

export const TARGETS = ['webhook', 'agent'] as const;
export type Target = (typeof TARGETS)[number];

const HELP = `Usage: npm run image -- [--arch ARCH]...

Builds the images of the webhook and the agent, as docker-archive files in dist/image/: webhook-ARCH.tar and
agent-ARCH.tar. What they are made of is listed beside them, in sbom-ARCH.cdx.json (CycloneDX).

  --arch ARCH   ${ARCHITECTURES.join(' or ')}; this machine's (${HERE}) unless given. May be given again: then
                webhook.oci.tar and agent.oci.tar hold one image for all of them, as registries take it.
`;

export const imageName = (target: Target) => `kubesentry-${target}:${VERSION}`;
export const imageFile = (target: Target, architecture: Architecture = HERE) =>
  join(folder, `${target}-${architecture}.tar`);
/** One name for the images of several architectures. */
export const indexFile = (target: Target) => join(folder, `${target}.oci.tar`);
export const billFile = (architecture: Architecture = HERE) => join(folder, `sbom-${architecture}.cdx.json`);

/** The root file system, and beside it the names of the packages that it is made of. */
function makeRoot(context: string, architecture: Architecture): string[] {
  const [archive, list] = [join(context, 'root.tar'), join(context, 'root.list')];
  if (!existsSync(archive) || !existsSync(list)) {
    rmSync(archive, { force: true });
    execFileSync(
      'mmdebstrap',
      [
        '--quiet',
        '--variant=extract',
        `--architectures=${architecture}`,
        `--include=${ROOT_PACKAGES.join(',')}`,
        `--extract-hook=ls "$1/var/cache/apt/archives" > '${list}'`,
        'bookworm',
        archive,
      ],
      { cwd: root, stdio: ['ignore', 2, 2], env: { ...process.env, SOURCE_DATE_EPOCH: EPOCH } },
    );
  }
  return readFileSync(list, 'utf8').split('\n');
}

/** What is copied into an image takes its time along. */
function setTimes(path: string): void {
  if (statSync(path).isDirectory()) for (const name of readdirSync(path)) setTimes(join(path, name));
  lutimesSync(path, Number(EPOCH), Number(EPOCH));
}

/** A folder with all that the Dockerfile adds; answers its path. */
async function makeContext(architecture: Architecture, log: (line: string) => void): Promise<string> {
  const context = join(folder, architecture);
  mkdirSync(context, { recursive: true });
  const { node, addon, linked } = await binariesFor(architecture, log);
  const bundled = await bundle(join(context, 'bundle'), addon);
  copyFileSync(node, join(context, 'node'));
  const bill = billOfMaterials(VERSION, [
    ...nodeComponents(process.versions),
    ...npmComponents(bundled, root),
    ...linkedComponents(linked),
    ...debianComponents(makeRoot(context, architecture)),
  ]);
  for (const file of [billFile(architecture), join(context, 'bundle', 'sbom.cdx.json')])
    writeFileSync(file, bill);
  for (const name of ['bundle', 'node']) setTimes(join(context, name));
  return context;
}

/** Docker where it answers; only buildah puts several architectures under one name without a registry. */
async function builderFor(architectures: number, log: (line: string) => void): Promise<Builder> {
  const isDocker = architectures === 1 && spawnSync('docker', ['info'], { stdio: 'ignore' }).status === 0;
  await ensurePackages(isDocker ? ['mmdebstrap'] : ['mmdebstrap', 'buildah'], { log });
  return isDocker ? new Docker() : new Buildah(folder);
}

export async function buildImages(
  log: (line: string) => void,
  architectures: readonly Architecture[] = [HERE],
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const builder = await builderFor(architectures.length, log);
  const made = (name: string, file: string) =>
    log(`${name}  ${(statSync(file).size / 2 ** 20).toFixed(0)} MiB  ${file}`);
  try {
    for (const architecture of architectures) {
      const context = await makeContext(architecture, log);
      for (const target of TARGETS) {
        const file = imageFile(target, architecture);
        rmSync(file, { force: true }); // neither tool writes over an archive
        builder.build({ context, target, architecture, name: imageName(target), file });
        made(`${imageName(target)} ${architecture}`, file);
      }
    }
    if (architectures.length > 1) {
      for (const target of TARGETS) {
        rmSync(indexFile(target), { force: true });
        builder.index(imageName(target), indexFile(target));
        made(`${imageName(target)} ${architectures.join(' and ')}`, indexFile(target));
      }
    }
  } finally {
    builder.close();
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { arch: { type: 'string', multiple: true }, help: { type: 'boolean', short: 'h' } },
  });
  const isKnown = (name: string): name is Architecture => (ARCHITECTURES as string[]).includes(name);
  const asked = [...new Set(values.arch ?? [HERE])];
  if (values.help) process.stdout.write(HELP);
  else if (asked.every(isKnown)) await buildImages((line) => process.stderr.write(`${line}\n`), asked);
  else {
    process.stderr.write(
      `There is no architecture "${asked.find((name) => !isKnown(name))}" here.\n\n${HELP}`,
    );
    process.exitCode = 2;
  }
}

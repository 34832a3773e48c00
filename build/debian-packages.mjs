// Installs what is missing with apt, or says exactly how to. Runs on any Node from 18 on, before npm modules exist.
import { spawnSync } from 'node:child_process';

/** The packages among `names` that are not installed. Throws where there is no dpkg to ask. */
function missing(names) {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query has the same syntax
  const query = spawnSync('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', ...names], {
    encoding: 'utf8',
  });
  if (query.error) {
    throw new Error(
      `This machine has no dpkg, so packages cannot be installed for you. Needed, by their Debian names: ${names.join(' ')}.`,
    );
  }
  const installed = new Set(
    query.stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  return names.filter((name) => !installed.has(name));
}

/** How to become root without a question: nothing as root, sudo where it asks for no password. */
function privilege() {
  if (process.getuid() === 0) return [];
  return spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0 ? ['sudo', '-n'] : undefined;
}

/**
 * Makes sure that the Debian packages `names` are installed. Says one line before it installs any.
 * Throws an Error whose message holds the exact line to run where it may not or cannot.
 */
export async function ensurePackages(names, { log }) {
  const needed = missing(names);
  if (needed.length === 0) return;
  const install = ['apt-get', 'install', '--yes', '--no-install-recommends', ...needed];
  const byHand = `sudo apt-get update && sudo ${install.join(' ')}`;
  const prefix = privilege();
  if (!prefix)
    throw new Error(`Debian packages are missing and there is no right to install them. Run:\n  ${byHand}`);

  log(`Installing Debian packages; this takes a minute or two: ${needed.join(' ')} ...`);
  const apt = (...words) => {
    const [command, ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', ...words];
    return spawnSync(command, rest, { encoding: 'utf8' });
  };
  let result = apt(...install);
  if (result.status !== 0) {
    // Package lists may be absent or old; with fresh ones the second try counts.
    apt('apt-get', 'update');
    result = apt(...install);
  }
  if (result.status !== 0) {
    throw new Error(`apt-get could not install them:\n${result.stderr.trim()}\nRun it by hand:\n  ${byHand}`);
  }
}

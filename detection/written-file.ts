import { deployText } from './deploy.ts';
import { judgeMinerConfig } from './miner-config.ts';
import type { Data } from './shell/data.ts';
import type { Machine } from './shell/machine.ts';

// The host's own may be mounted anywhere: /h/cron.d.
const CRON = /(^|\/)(etc\/cron|spool\/cron|cron\.(d|hourly|daily|weekly|monthly)\/|crontabs?(\/|$))/;
const STARTUP =
  /(^|\/)(etc\/(rc\.local|init\.d\/|rc\d?\.d\/|ld\.so\.preload|profile)|authorized_keys$|\.bashrc$|\.profile$|\.bash_profile$)|\.ssh\/authorized_keys/;
const UNIT = /(^|\/)systemd\/.*\.(service|timer)$/;

/** Judges what a script writes into a file, by where and by what. */
export function judgeWritten(target: string, data: Data, machine: Machine): void {
  const { docket, path } = machine;
  if (/nr_hugepages$|hugepages-\d+kB/.test(target)) {
    docket.report('huge-page-tuning', path, 'It sets the number of huge pages.', target);
  } else if (/^\/dev\/cpu\/|\/parameters\/allow_writes$/.test(target)) {
    docket.report('msr-tuning', path, 'It opens the model-specific registers for writing.', target);
  } else if (CRON.test(target) || STARTUP.test(target) || UNIT.test(target)) {
    const isKey = /authorized_keys$/.test(target);
    docket.report('persistence', path, `It writes ${target}.`, target, isKey ? 45 : undefined);
  }
  if (data.text === undefined) return;
  // A static pod of the kubelet, or what kubectl takes later.
  if (/\.(?:ya?ml|json)$/.test(target) && /\bapiVersion\b/.test(data.text) && /\bimage\b/.test(data.text))
    deployText(data.text, path, machine);
  if (CRON.test(target)) judgeCrontab(data.text, machine);
  else if (STARTUP.test(target) && !target.endsWith('authorized_keys')) machine.runScript(data.text, path);
  judgeUnit(data.text, machine);
  judgeMinerConfig(data.text, path, docket);
}

/** Cron lines: five fields or a @word, then a command; in /etc a user stands between. */
export function judgeCrontab(text: string, machine: Machine): void {
  for (const line of text.split('\n', 256)) {
    const [, command] =
      /^[ \t]*(?:@\w+|(?:[\d*/,-]{1,64}[ \t]+){5})[ \t]*(?:root[ \t]+)?(.+)$/.exec(line) ?? [];
    if (command !== undefined) machine.runLater(command, machine.path);
  }
}

/** ExecStart= of systemd, command= of supervisord. */
export function judgeUnit(text: string, machine: Machine): void {
  for (const [, command = ''] of text.matchAll(
    /^[ \t]*(?:ExecStart(?:Pre|Post)?|command)[ \t]*=[ \t]*[-@+!]*(.+)$/gm,
  )) {
    machine.runScript(command, machine.path);
  }
}

import { isClusterPart, serviceAccountOf, succeeded } from '../identity.ts';
import { type Rule, who } from './finding.ts';

/** Agents that read the kubelet's metrics through the API server. */
const MONITORING =
  /prometheus|metrics|datadog|newrelic|dynatrace|telegraf|otel|opentelemetry|elastic-agent|metricbeat|grafana|alloy|vmagent|vmsingle|kubecost|opencost|splunk|zabbix|cadvisor|goldpinger/;

/**
 * The kubelet's API through the API server: a plain GET runs commands there, and no exec shows in the audit log
 * (kubernetes/kubernetes#136550).
 */
export const nodeProxy: Rule = (fact) => {
  const { actor, target, verb, command } = fact;
  if (target.resource !== 'nodes' || target.subresource !== 'proxy') return undefined;
  if (isClusterPart(actor) || !succeeded(fact)) return undefined;
  const runs = verb !== 'get' || command.length > 0;
  if (!runs && MONITORING.test(serviceAccountOf(actor.user)?.name ?? '')) return undefined;
  return {
    severity: runs ? 'critical' : 'high',
    message: `${who(fact)} spoke to the kubelet of node ${target.name} through nodes/proxy (${verb}).`,
  };
};

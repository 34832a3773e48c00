import { type Static, Type } from 'typebox';

/** One thing that an agent does, or cannot do, on its node. */
export const Ability = Type.Object({
  name: Type.String({ maxLength: 63, description: 'What it is called in metrics and in agent --check.' }),
  state: Type.Union([Type.Literal('on'), Type.Literal('part'), Type.Literal('off'), Type.Literal('spare')], {
    description: 'spare: it is off, and something else stands in for it.',
  }),
  detail: Type.String({ maxLength: 1024, description: 'What it is for; where it is not on, the reason.' }),
});
export type Ability = Static<typeof Ability>;

/** What a workload usually takes of CPU time, as nodes have learned it. */
export const Habit = Type.Object({
  workload: Type.String({ maxLength: 1024, description: 'NAMESPACE/KIND/NAME/CONTAINER.' }),
  cpus: Type.Number({ minimum: 0, description: 'CPUs in the mean while there was no load.' }),
  seconds: Type.Number({ minimum: 0, description: 'How long it was watched for that.' }),
});
export type Habit = Static<typeof Habit>;

/** How an agent and its node are, as it tells the webhook once a minute and whenever a quarantine takes effect. */
export const NodeState = Type.Object({
  version: Type.String({ maxLength: 63, description: 'Of the agent.' }),
  abilities: Type.Array(Ability, { maxItems: 64 }),
  egressCut: Type.Array(Type.String({ maxLength: 253 }), {
    maxItems: 1000,
    description: 'Quarantines that have pods on this node, all of which the kernel keeps from sending.',
  }),
  egressOpen: Type.Array(Type.String({ maxLength: 253 }), {
    maxItems: 1000,
    description: 'Quarantines that have pods on this node which can still send.',
  }),
  lost: Type.Record(Type.String({ maxLength: 63 }), Type.Integer({ minimum: 0 }), {
    maxProperties: 64,
    description: 'What got lost since the agent started, by stage and class.',
  }),
  habits: Type.Array(Habit, { maxItems: 500, description: 'Of the workloads on this node.' }),
});
export type NodeState = Static<typeof NodeState>;

/** What `config set` and `config unset` have in common: the change, and the rows after it. */

import { Admin } from '../../lib/client/admin.ts'
import type { ConfigChange, ConfigResource } from '../../lib/client/admin-configs.ts'
import { type CommandContext, type ExitCode, exitCodes } from '../command.ts'
import { configColumns, configRow, describeResource, resourceExtra } from './configs.ts'
import { withTopicHint } from './missing.ts'

/** Changes settings (or only has the broker check them) and shows them as they are afterwards. */
export async function changeConfigs(
  context: CommandContext,
  kind: 'config-set' | 'config-unset',
  request: {
    resource: ConfigResource
    changes: readonly ConfigChange[]
    isDryRun: boolean
  },
): Promise<ExitCode> {
  const { resource, changes, isDryRun } = request
  const admin = new Admin(await context.client())
  await withTopicHint(context, resource, async () => {
    // An alteration of a topic that is not there would be refused with less to say about it.
    await describeResource(context, resource)
    const [result] = await admin.alterConfigs([{ ...resource, changes }], {
      validateOnly: isDryRun,
    })
    if (result?.error) throw result.error
  })
  const entries = await describeResource(context, resource)
  const wanted = new Map(changes.map((change) => [change.key, change]))
  const rows = [...wanted.values()].flatMap(({ key, operation, value }) => {
    const entry = entries.find(({ name }) => name === key)
    if (entry === undefined) return []
    const row = configRow(entry)
    if (!isDryRun || operation !== 'set') return [row]
    return [{ ...row, value: value ?? null, source: plannedSource(resource) }]
  })
  await context.out.snapshot({
    kind,
    plural: 'configs',
    columns: configColumns,
    rows,
    extra: { ...resourceExtra(resource), dryRun: isDryRun },
  })
  if (isDryRun) context.note('dry run, nothing changed; leave out --dry-run')
  return exitCodes.done
}

function plannedSource({ type, name }: ConfigResource): string {
  if (type === 'topic') return 'topic'
  return name === '' ? 'dynamic-default-broker' : 'dynamic-broker'
}

/** All cases, in the order they are asked. */

import { configsSection } from './cases-configs.ts'
import { connectionSection } from './cases-connection.ts'
import { fetchSection } from './cases-fetch.ts'
import { groupOffsetsSection } from './cases-group-offsets.ts'
import { groupsSection } from './cases-groups.ts'
import { nextGroupsSection } from './cases-groups-next.ts'
import { metadataSection } from './cases-metadata.ts'
import { offsetsSection } from './cases-offsets.ts'
import { produceSection } from './cases-produce.ts'
import { topicsSection } from './cases-topics.ts'
import type { Section } from './row.ts'

export const sections: readonly Section[] = [
  connectionSection,
  metadataSection,
  topicsSection,
  produceSection,
  fetchSection,
  offsetsSection,
  configsSection,
  groupsSection,
  groupOffsetsSection,
  nextGroupsSection,
]

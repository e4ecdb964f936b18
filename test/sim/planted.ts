/** The bugs that `npm run sim -- --planted` plants, one after the other (lib/base/planted.ts says what each is). */

import { type PlantedBug, planted } from '../../lib/base/planted.ts'

export const plantedBugs = Object.keys(planted) as PlantedBug[]

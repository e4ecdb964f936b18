/** The command as tests run it: built beside them, started as a process of its own. */

import '../../cli/main.ts'
